//! The container's terminal as the full screen has it, apart from panes and keys of the app.
//!
//! ```text
//! Attach stream → terminal (this client's copy of the process's screen) → screen (its cells in a ratatui buffer)
//!                        └→ copy (a frozen clone in which a person looks around, searches and selects)
//! ```
//!
//! Everything here is plain state: nothing waits, sleeps or talks to anybody.

pub mod copy;
pub mod screen;
pub mod terminal;
