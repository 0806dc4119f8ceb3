//! Follow paths: what a COPY names, with every symlink on the way added to what is sent.
//!
//! Links are resolved inside the root: an absolute target starts there, and `..` stops there. The
//! last name of a path may hold wildcards, as may any component that no link hides.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::patterns::{PatternError, clean, component_matcher, has_magic};

/// Links followed for one request; more of them are a loop or an attack.
const MAX_LINKS: usize = 10_000;

/// Resolves `paths` to the include patterns that they stand for; `None` when everything is wanted.
///
/// # Errors
/// A wildcard that cannot be read.
pub fn resolve(root: &Path, paths: &[String]) -> Result<Option<Vec<String>>, PatternError> {
    let mut resolver = Resolver {
        root,
        resolved: BTreeSet::new(),
        links: 0,
    };
    for path in paths {
        resolver.add(path)?;
    }
    let mut kept: Vec<String> = Vec::new();
    for path in resolver.resolved {
        if path == "." {
            return Ok(None);
        }
        let below = |parent: &String| {
            path.strip_prefix(parent.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if !kept.iter().rev().any(below) {
            kept.push(path);
        }
    }
    Ok(Some(kept))
}

struct Resolver<'a> {
    root: &'a Path,
    resolved: BTreeSet<String>,
    links: usize,
}

impl Resolver<'_> {
    /// Walks one path component by component, and branches at links.
    fn add(&mut self, path: &str) -> Result<(), PatternError> {
        let path = inside(path);
        if path == "." {
            self.resolved.insert(path);
            return Ok(());
        }
        let mut current = String::new();
        let mut rest = path.as_str();
        loop {
            let (name, more) = rest.split_once('/').unwrap_or((rest, ""));
            if !current.is_empty() {
                current.push('/');
            }
            current.push_str(name);
            rest = more;
            let targets = self.targets(&current)?;
            if targets.is_empty() && !rest.is_empty() {
                continue;
            }
            if !self.resolved.insert(current.clone()) {
                return Ok(());
            }
            for target in targets {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Ok(());
                }
                self.add(&format!("{target}/{rest}"))?;
            }
            return Ok(());
        }
    }

    /// Targets, relative to the root, of the links that the last name of `path` matches.
    fn targets(&self, path: &str) -> Result<Vec<String>, PatternError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !has_magic(name) {
            return Ok(self.target(path).into_iter().collect());
        }
        let matches = component_matcher(name)?;
        let Ok(entries) = self.root.join(directory).read_dir() else {
            return Ok(Vec::new());
        };
        let names = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| matches(name));
        let mut targets: Vec<String> = names
            .filter_map(|name| self.target(&inside(&format!("{directory}/{name}"))))
            .collect();
        targets.sort_unstable();
        Ok(targets)
    }

    /// Target, relative to the root, of the link at `path`.
    fn target(&self, path: &str) -> Option<String> {
        let link: PathBuf = self.root.join(path).read_link().ok()?;
        let text = link.to_str()?;
        if link.components().next() == Some(Component::RootDir) {
            return Some(inside(text));
        }
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        Some(inside(&format!("{directory}/{text}")))
    }
}

/// `path` from the root, cleaned, never above it; `.` for the root itself.
fn inside(path: &str) -> String {
    match clean(&format!("/{path}")).strip_prefix('/') {
        Some("") | None => ".".to_owned(),
        Some(path) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn follow(root: &Path, paths: &[&str]) -> Option<Vec<String>> {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        resolve(root, &paths).unwrap()
    }

    #[test]
    fn links_are_followed_inside_the_root_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("real/deep")).unwrap();
        std::fs::write(root.join("real/deep/file"), "x").unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("/real/deep", root.join("absolute")).unwrap();
        symlink("../../../../etc/passwd", root.join("real/up")).unwrap();
        symlink("loop-b", root.join("loop-a")).unwrap();
        symlink("loop-a", root.join("loop-b")).unwrap();

        let some = |list: &[&str]| Some(list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(follow(root, &["real/deep"]), some(&["real/deep"]));
        assert_eq!(
            follow(root, &["link/deep/file"]),
            some(&["link", "real/deep/file"])
        );
        assert_eq!(
            follow(root, &["absolute/file"]),
            some(&["absolute", "real/deep/file"])
        );
        assert_eq!(follow(root, &["real/up"]), some(&["etc/passwd", "real/up"]));
        assert_eq!(follow(root, &["loop-a/x"]), some(&["loop-a", "loop-b"]));
        assert_eq!(follow(root, &["l*nk/deep"]), some(&["l*nk", "real/deep"]));
        assert_eq!(follow(root, &["../../x"]), some(&["x"]));
        assert_eq!(follow(root, &["missing/*/x"]), some(&["missing/*/x"]));
        assert_eq!(follow(root, &["real", "real/deep"]), some(&["real"]));
        assert_eq!(follow(root, &["a", "/"]), None);
    }
}
