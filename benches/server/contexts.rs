//! What is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

/// A line of 80 bytes, its end included.
const LINE: &str =
    "0123456789 the quick brown fox jumps over the lazy dog while nobody looks at it";

/// Lines that `/speak` prints.
const SPOKEN: usize = 800_000;

/// What `/speak` prints last.
pub const SPOKEN_ALL: &str = "that was all of it";

/// What the step of [`Contexts::speaking`] prints.
pub const LAST_WORDS: &str = "farewell";

/// Bytes of the lines of `/speak`, without the carriage returns that a terminal adds.
pub fn spoken_bytes() -> f64 {
    (SPOKEN * (LINE.len() + 1)) as f64
}

/// A script that prints many lines and [`SPOKEN_ALL`]. `busybox` is the way to it.
pub fn speak(busybox: &str) -> String {
    format!("{busybox} yes '{LINE}' | {busybox} head -n {SPOKEN}; echo {SPOKEN_ALL}\n")
}

/// A system with a shell.
const BASE: &str = "FROM scratch\n\
     COPY busybox /bin/busybox\n\
     COPY busybox /bin/sh\n\
     RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
     COPY speak /speak\n";

/// Contexts of builds.
pub struct Contexts {
    dir: PathBuf,
    made: AtomicUsize,
}

impl Contexts {
    /// Contexts below `dir`.
    pub fn new(dir: &Path) -> Result<Self> {
        let dir = dir.join("contexts");
        fs::create_dir_all(&dir)?;
        Ok(Self {
            dir,
            made: AtomicUsize::new(0),
        })
    }

    /// One small file in an empty image.
    pub fn trivial(&self) -> Result<PathBuf> {
        let dir = self.dir.join("trivial");
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("file"), "content\n")?;
        fs::write(dir.join("Dockerfile"), "FROM scratch\nCOPY file /\n")?;
        Ok(dir)
    }

    /// As [`Contexts::trivial`], but no other's: its file has this name.
    pub fn named(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(name), "content\n")?;
        let dockerfile = format!("FROM scratch\nCOPY {name} /\n");
        fs::write(dir.join("Dockerfile"), dockerfile)?;
        Ok(dir)
    }

    /// A step that fails, in a system that has the texts of this directory in `/texts`.
    pub fn texts(&self, texts: &Path) -> Result<PathBuf> {
        let dir = self.failing()?;
        fs::create_dir_all(dir.join("texts"))?;
        for text in fs::read_dir(texts)? {
            let text = text?;
            fs::hard_link(text.path(), dir.join("texts").join(text.file_name()))?;
        }
        let dockerfile = fs::read_to_string(dir.join("Dockerfile"))?;
        let (base, step) = dockerfile.rsplit_once("RUN").context("no step")?;
        let dockerfile = format!("{base}COPY texts /texts\nRUN{step}");
        fs::write(dir.join("Dockerfile"), dockerfile)?;
        Ok(dir)
    }

    /// A step that says [`LAST_WORDS`] and fails at once; another one each time.
    pub fn speaking(&self) -> Result<PathBuf> {
        self.step(&format!("echo {LAST_WORDS}; exit 3"))
    }

    /// A step that fails; another one each time, so that nobody remembers it.
    pub fn failing(&self) -> Result<PathBuf> {
        self.step("exit 3")
    }

    /// A step that prints some 10 MB a second until it is stopped, at most for five minutes. Without
    /// a measure the engine's own memory would be full before long: it keeps all logs.
    pub fn flood(&self) -> Result<PathBuf> {
        self.step(&format!(
            "for i in $(seq 3000); do yes '{LINE}' | head -c 1000000; usleep 95000; done"
        ))
    }

    /// A step that fails after so many bytes of log.
    pub fn long(&self, bytes: u64) -> Result<PathBuf> {
        self.step(&format!("yes '{LINE}' | head -c {bytes}; exit 3"))
    }

    fn step(&self, script: &str) -> Result<PathBuf> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}.{number}", std::process::id());
        let dir = self.dir.join(&unique);
        fs::create_dir_all(&dir)?;
        fs::copy("/bin/busybox", dir.join("busybox")).context("/bin/busybox")?;
        fs::write(dir.join("speak"), speak("/bin/busybox"))?;
        let dockerfile = format!("{BASE}RUN : {unique}; {script}\n");
        fs::write(dir.join("Dockerfile"), dockerfile)?;
        Ok(dir)
    }
}
