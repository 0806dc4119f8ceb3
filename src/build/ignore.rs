//! The ignore file of a context: which one counts, and what it hides.

use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::callbacks::filesync::patterns::Patterns;

/// Most bytes of an ignore file.
const LARGEST: u64 = 1 << 20;

/// The ignore files that count for a context, the first that exists alone.
pub fn files(context: &Path, dockerfile: Option<&Path>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(dockerfile) = dockerfile
        && let Some(name) = dockerfile.file_name()
    {
        let mut name = name.to_os_string();
        name.push(".dockerignore");
        files.push(dockerfile.with_file_name(name));
    }
    files.push(context.join(".dockerignore"));
    files
}

/// An ignore file that has been read.
#[derive(Debug)]
pub struct IgnoreFile {
    name: String,
    /// The patterns with their lines, counted from 1.
    lines: Vec<(usize, String)>,
    /// What they mean.
    pub patterns: Patterns,
}

impl IgnoreFile {
    /// Reads one; `None` when it is not there or cannot be meant.
    pub fn read(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        if !meta.is_file() || meta.len() > LARGEST {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines: Vec<_> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#'))
            .map(|(index, line)| (index + 1, line.trim().to_owned()))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        // A leading slash means the root of the context, as no slash does.
        let texts: Vec<_> = lines
            .iter()
            .map(|(_, line)| match line.strip_prefix('!') {
                Some(rest) => format!("!{}", rest.trim().trim_start_matches('/')),
                None => line.trim_start_matches('/').to_owned(),
            })
            .collect();
        Some(Self {
            name: path.file_name()?.to_string_lossy().into_owned(),
            patterns: Patterns::new(&texts).ok()?,
            lines,
        })
    }

    /// What hides `path`, in words.
    pub fn hides(&self, path: &str) -> Option<String> {
        let verdict = self.patterns.judge_alone(path);
        let (line, pattern) = self.lines.get(verdict.decided_by?)?;
        verdict
            .matched
            .then(|| format!("pattern {pattern:?} of {} (line {line})", self.name))
    }
}
