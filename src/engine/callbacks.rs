//! The services that the engine calls on the client's connection (BuildKit calls this a session).
//!
//! Each file is one service. All of them are served on one HTTP/2 connection per build.
