//! What a client tells the server that it starts, and what the server answers.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::paths::Env;
use crate::paths::server::ServerPaths;

/// First argument of this program when it is started as the server. Not for people.
pub const SERVER: &str = "_server";

/// Where programs are looked for when a request does not say it.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Longest answer, in bytes.
pub const LONGEST: u64 = 64 << 10;

/// Everything that a server in the background needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its places.
    pub paths: ServerPaths,
    /// The configuration, read and checked by the client.
    pub config: Config,
}

/// How a start went: one line of JSON on the server's standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It listens.
    Ready,
    /// Another server has these sessions already.
    Elsewhere {
        /// Where that one listens.
        socket: PathBuf,
    },
    /// There is no server.
    Failed {
        /// Why, in one line.
        reason: String,
    },
}

/// The whole environment of a server: where programs are, and the home of the user. Everything else
/// belongs to clients and comes with their requests.
pub fn environment(env: &Env) -> Vec<(&'static str, OsString)> {
    let home = env.os("HOME").unwrap_or(OsStr::new("/"));
    vec![("PATH", PATH.into()), ("HOME", home.to_owned())]
}
