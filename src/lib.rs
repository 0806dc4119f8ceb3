//! `buildx`: builds, and the debugger for builds, on a real BuildKit.
//!
//! # Rooms
//!
//! * [`cli`]: what the user typed → which command → exit code.
//! * [`tui`]: the debugger on the whole screen.
//! * [`monitor`]: the debugger's commands and its line mode, as clients of the server.
//! * [`client`]: the way to the server (found, started, greeted, or run in this process), and builds as the server
//!   tells them.
//! * [`server`]: the owner of builds, their states, and the processes in them; [`server::life`] is its process.
//! * [`build`]: flags → request; the run of one build; result files; what to say when it fails.
//! * [`progress`]: one model of a build ([`progress::trace`]) and its printers.
//! * [`builder`]: the buildx builder store and docker contexts; which engine a build runs on.
//! * [`engine`]: BuildKit itself: addresses, drivers, transports, the control and gateway APIs,
//!   typed errors, and the [`engine::callbacks`] that the engine makes on the client's connection.
//! * [`term`]: between hostile bytes and the user's terminal: filters for text, the guarded screen of a process, and
//!   what of its output a real terminal may obey.
//! * [`proto`]: generated messages, ours and BuildKit's.
//! * [`watch`]: tells when files of a build's context change.
//! * [`config`]: the configuration file → one plain value.
//! * [`signals`]: the names of the signals that processes can be sent.
//! * [`stream`]: a byte stream of any kind, and calls over one.
//! * [`paths`]: where state, sockets, locks and configuration live.
//!
//! Dependence goes one way: `paths`, `proto`, `signals`, `stream` ← `engine`, `builder`, `term` ← `progress` ← `build` ←
//! `watch`, `server` ← `client` ← `monitor` ← `tui` ← `cli`. `tui` knows neither `server` nor `engine`. Only `config` goes
//! both ways: it checks the words of `monitor` and `tui`, and `server`, `client` and `cli` read what it has found.
//!
//! # Words
//!
//! *Engine* is always BuildKit. *Server* and *client* are ours. *Callbacks* are the services that the engine calls on
//! the client's connection (BuildKit's own word is "session"; here a session is a debug session: a build with its
//! options, trace, result and processes). A *trace* is everything observed of a build. A *process* runs in a build
//! container. A *kept state* is a failed step or a result that is held open on the engine, with a deadline. The
//! *monitor* is the command language and its prompt.

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
pub mod signals;
pub mod stream;
pub mod term;
pub mod tui;
pub mod watch;
