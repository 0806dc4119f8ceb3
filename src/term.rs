//! What stands between bytes that others wrote and the user's terminal.
//!
//! * Text (logs, names, messages): [`escape`] makes it harmless, [`width`] measures it in cells.
//! * Output of interactive programs: [`sequence`] takes it apart. [`guard`] is the terminal that keeps it, behind
//!   bounds that vt100 does not have; [`screen`] draws on it when there is time; and [`pass`] shows it on the user's
//!   own terminal, of which it lets through only what is understood and can be undone.
//! * What the user does, for such a program: [`keys`] and [`mouse`] turn it into bytes.
//!
//! [`blocking`] is for writing to what may not take it. Both sides of an attached program use [`screen`]; it knows
//! neither server nor client.

pub mod blocking;
mod charset;
pub mod escape;
pub mod guard;
#[cfg(test)]
pub(crate) mod hostile;
pub mod keys;
pub mod mouse;
pub mod pass;
pub mod screen;
pub mod sequence;
pub mod width;
