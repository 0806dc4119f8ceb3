//! What the tests stand on: the shared engine, the built binary, contexts, registries, terminals.

pub mod cmd;
pub mod context;
pub mod embedded;
pub mod engine;
pub mod gate;
pub mod open;
pub mod proxy;
pub mod pty;
pub mod registry;
pub mod shared;
pub mod victim;
