//! BuildKit, as a client sees it: addresses, drivers, transports, APIs, errors and callbacks.

pub mod address;
pub mod callbacks;
pub mod channel;
pub mod container;
pub mod control;
pub mod dial;
pub mod docker;
pub mod docker_config;
pub mod embedded;
pub mod errors;
pub mod gateway;
pub mod history;
pub mod id;
mod local;
mod tls;
pub mod vertex;
