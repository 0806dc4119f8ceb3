//! `buildx`: builds, and the debugger for builds, on a real BuildKit.
//!
//! # Rooms
//!
//! * [`cli`]: what the user typed → which command → exit code.
//! * [`config`]: the configuration file → one plain value.
//! * [`client`]: the way to the server: found, started, greeted, or run in this process.
//! * [`server`]: the owner of builds and what is in them; [`server::life`] is its process.
//! * [`paths`]: where state, sockets, locks and configuration live.
//! * [`builder`]: the buildx builder store and docker contexts; which engine a build runs on.
//! * [`engine`]: BuildKit itself: addresses, drivers, transports, the control and gateway APIs,
//!   typed errors, and the [`engine::callbacks`] that the engine makes on the client's connection.
//! * [`build`]: flags → request; the run of one build; result files; what to say when it fails.
//! * [`client`]: the client's side of the server: requests, and builds as the server tells them.
//! * [`monitor`]: the debugger's commands and its line mode, as clients of the server.
//! * [`progress`]: one model of a build ([`progress::trace`]) and its printers.
//! * [`term`]: between hostile bytes and the user's terminal: filters for text, the guarded screen of a process, and
//!   what of its output a real terminal may obey.
//!
//! Dependence goes one way: `paths` ← `engine`, `builder`, `term` ← `progress` ← `build` ← `client` ←
//! `monitor` ← `cli`.
//!
//! # Words
//!
//! *Engine* is always BuildKit. *Callbacks* are the services that the engine calls on the client's
//! connection (BuildKit's own word is "session"; here a session is a debug session).

pub mod build;
pub mod builder;
pub mod cli;
pub mod client;
pub mod config;
pub mod engine;
pub mod monitor;
pub mod paths;
pub mod progress;
pub mod proto;
pub mod server;
pub mod term;
