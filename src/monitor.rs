//! The monitor: the commands of a debugger for builds, as a client of the server.
//!
//! [`table`] holds the commands, [`parse`] reads a line of them, [`exec`] carries one out and answers
//! with data. A full-screen app uses these three. [`run`] is the line mode on top: [`terminal`] owns the
//! real terminal, [`prefix`] decides what of the keyboard is for whom, [`prompt`] reads lines with
//! [`editor`], [`history`], [`keys`] and [`complete`], [`shell`] connects the terminal to a process, [`watch`]
//! follows a build, [`again`] comes back
//! to a server that was lost, [`presence`] lets others know where the user is, [`header`] says what a process is started in. For screen readers, [`spoken`] has sentences in
//! the place of tables, and [`echo`] writes of an edited line only what changed. [`start`] leads from a build to its
//! monitor.

pub mod again;
pub mod complete;
pub mod echo;
pub mod editor;
pub mod exec;
#[cfg(test)]
pub(crate) mod fake;
pub mod header;
pub mod history;
pub mod invoke;
pub mod keys;
pub mod listing;
pub mod parse;
pub mod prefix;
pub mod presence;
pub mod prompt;
pub mod prune;
pub mod run;
pub mod shell;
pub mod spoken;
pub mod start;
pub mod table;
pub mod terminal;
pub mod watch;
pub mod words;
