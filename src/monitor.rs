//! The monitor: the commands of a debugger for builds, as a client of the server.
//!
//! [`table`] holds the commands, [`parse`] reads a line of them, [`exec`] carries one out and answers
//! with data. [`run`] is the line mode on top: [`terminal`] owns the real terminal, [`prefix`] decides
//! what of the keyboard is for whom, [`editor`] and [`prompt`] read lines, [`shell`] connects the
//! terminal to a process. A full-screen app uses the first three.

pub mod editor;
pub mod exec;
#[cfg(test)]
pub(crate) mod fake;
pub mod invoke;
pub mod keys;
pub mod listing;
pub mod parse;
pub mod prefix;
pub mod table;
pub mod words;
