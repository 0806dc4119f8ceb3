//! The debugger on the whole screen.
//!
//! ```text
//! keys, server events, deadlines → msg → app.update → state ─▶ draw → screen
//!                                           └──────▶ effect → link → server, files, programs
//! ```
//!
//! [`app`] is the only owner of state and changes it without waiting for anything; [`draw`] and [`pane`] read it;
//! [`run`] is the loop; [`link`] does in the world what effects say. [`action`] is the one table of what keys can do.

pub mod action;
pub mod app;
pub mod draw;
#[cfg(test)]
pub mod fixture;
pub mod keymap;
pub mod known;
pub mod layer;
pub mod layout;
pub mod link;
pub mod msg;
pub mod own;
pub mod pane;
pub mod recent;
pub mod run;
pub mod screen;
pub mod session;
pub mod shell;
pub mod theme;
pub mod twins;
pub mod zone;
