//! The command line: clap types, one file per command.

pub mod stop;
