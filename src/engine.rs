//! BuildKit, as a client sees it: addresses, drivers, transports, APIs, errors and callbacks.

pub mod address;
pub mod callbacks;
