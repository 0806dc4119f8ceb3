//! What was tried in the search, why it failed, and what helps.

use std::fmt;

use crate::builder::context::{ContextError, DockerHost};
use crate::engine::address::Address;
use crate::engine::channel::ConnectError;
use crate::engine::dial::DialError;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What was tried, with its address.
    pub what: String,
    /// Why it failed.
    pub why: String,
    /// What helps, as a command or in words.
    pub help: Option<String>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// No engine answered: everything that was tried, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// At least one thing.
    pub tried: Vec<Tried>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.tried.as_slice() {
            return one.fmt(f);
        }
        f.write_str("no BuildKit engine answered; tried in order:")?;
        for tried in &self.tried {
            write!(f, "\n  {tried}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotFound {}

impl From<Tried> for NotFound {
    fn from(tried: Tried) -> Self {
        Self { tried: vec![tried] }
    }
}

/// The failure without the address, which the line begins with.
pub(super) fn reason(error: &ConnectError) -> String {
    match error {
        ConnectError::Dial(DialError::Connect { source, .. }) => source.to_string(),
        other => other.to_string(),
    }
}

/// A choice that cannot be followed.
pub(super) fn unusable(what: &str, error: &ContextError) -> Tried {
    Tried {
        what: what.to_owned(),
        why: error.to_string(),
        help: None,
    }
}

/// What helps when docker does not answer.
pub(super) fn docker_help(host: &DockerHost, error: &ConnectError) -> Option<String> {
    use std::io::ErrorKind;
    let kind = match error {
        ConnectError::Dial(DialError::Connect { source, .. }) => Some(source.kind()),
        _ => None,
    };
    let local = matches!(host.address, Address::Unix(_));
    match kind {
        Some(ErrorKind::PermissionDenied) if local => {
            Some("use sudo, or join docker's group: sudo usermod -aG docker $USER".into())
        }
        Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) if local && !host.explicit => {
            Some("to use docker: sudo systemctl start docker".into())
        }
        _ if host.explicit => Some(format!(
            "start it, or choose another: unset {}, or --builder embedded",
            if host.origin == "DOCKER_HOST" {
                "DOCKER_HOST"
            } else {
                "DOCKER_CONTEXT, docker context use default"
            }
        )),
        _ => None,
    }
}
