//! One model of a build and the printers that show it.

pub mod clip;
pub mod log;
pub mod plain;
pub mod time;
pub mod trace;
pub mod units;
