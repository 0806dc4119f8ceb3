//! What a container is made of, in words.

use super::Ground;
use crate::proto::pb::{Mount, MountType, NetMode};

impl Ground {
    /// Its network: `sandbox`, `host` or `none`.
    pub fn network_name(&self) -> &'static str {
        match self.network {
            NetMode::Unset => "sandbox",
            NetMode::Host => "host",
            NetMode::None => "none",
        }
    }

    /// Its mounts beside the root, a line each, such as `cache /root/.cache`.
    pub fn mount_names(&self) -> Vec<String> {
        self.mounts.iter().map(name).collect()
    }
}

fn name(mount: &Mount) -> String {
    let kind = match mount.mount_type() {
        MountType::Bind => "bind",
        MountType::Secret => "secret",
        MountType::Ssh => "ssh",
        MountType::Cache => "cache",
        MountType::Tmpfs => "tmpfs",
    };
    let readonly = if mount.readonly { " (read-only)" } else { "" };
    format!("{kind} {}{readonly}", mount.dest)
}
