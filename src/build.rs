//! From flags to one finished build.
//!
//! [`beforehand`] looks for mistakes before a build is handed to the server, where [`crate::server::build`] leads through
//! the rest: [`options`] says what was asked ([`flags`] reads it from words), [`prepare`] looks at the disk, [`request`]
//! makes the one request to the engine out of both and of what the engine can do. [`services`] are the callbacks,
//! [`mod@drive`] is the solve itself, [`after`] what remains to be done. [`results`] writes what scripts read afterwards,
//! [`explain`] says more about a failure than the engine knows.

pub mod after;
pub mod beforehand;
pub mod context;
pub mod drive;
pub mod explain;
pub mod flags;
pub mod git;
pub mod ignore;
pub mod options;
pub mod outputs;
pub mod prepare;
pub mod request;
pub mod results;
pub mod services;
pub mod suggest;
pub mod witness;
