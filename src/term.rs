//! What stands between bytes that others wrote and the user's terminal.
//!
//! [`escape`] makes text harmless, [`width`] measures it in cells.

pub mod escape;
pub mod width;
