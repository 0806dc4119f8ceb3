//! Build contexts on disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A Dockerfile head that makes a usable system from the context's `busybox` file: a shell at
/// `/bin/sh` and every applet.
pub const BUSYBOX: &str = "FROM scratch\n\
     COPY busybox /bin/busybox\n\
     COPY busybox /bin/sh\n\
     RUN /bin/busybox --install -s /bin\n";

/// A directory that builds are made from.
#[derive(Debug)]
pub struct Context {
    dir: TempDir,
}

impl Context {
    /// An empty context.
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    /// A context whose Dockerfile is `dockerfile`.
    pub fn dockerfile(dockerfile: impl AsRef<[u8]>) -> Self {
        Self::new().file("Dockerfile", dockerfile)
    }

    /// A context whose Dockerfile is [`BUSYBOX`] and then `steps`.
    pub fn busybox(steps: &str) -> Self {
        Self::dockerfile(format!("{BUSYBOX}{steps}")).with_busybox()
    }

    /// Adds the static busybox of this machine as `busybox`.
    pub fn with_busybox(self) -> Self {
        fs::copy("/bin/busybox", self.dir.path().join("busybox")).unwrap();
        self
    }

    /// Adds a file, with the directories above it.
    pub fn file(self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Adds a directory.
    pub fn directory(self, name: impl AsRef<Path>) -> Self {
        fs::create_dir_all(self.dir.path().join(name)).unwrap();
        self
    }

    /// Adds a symbolic link.
    pub fn symlink(self, name: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// Adds another name of an existing file.
    pub fn hard_link(self, name: impl AsRef<Path>, existing: impl AsRef<Path>) -> Self {
        fs::hard_link(self.dir.path().join(existing), self.dir.path().join(name)).unwrap();
        self
    }

    /// Sets the mode of an entry.
    pub fn mode(self, name: impl AsRef<Path>, mode: u32) -> Self {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.dir.path().join(name), permissions).unwrap();
        self
    }

    /// Sets the time of change of a file, in whole seconds since the epoch.
    pub fn mtime(self, name: impl AsRef<Path>, seconds: u64) -> Self {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::open(self.dir.path().join(name))
            .unwrap()
            .set_modified(time)
            .unwrap();
        self
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }
}
