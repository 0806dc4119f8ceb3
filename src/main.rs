//! The `buildx` program: arguments → command → exit code.

fn main() {}
