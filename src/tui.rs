//! The full screen.

pub mod shell;
