//! Tests against a real engine and real terminals, by feature.

mod support;

mod builders;
mod cancel;
mod chaos;
mod context;
mod exports;
mod flags;
mod gateway;
mod monitor;
mod processes;
mod progress;
mod secrets;
mod server;
mod sessions;
mod streams;
mod traps;
