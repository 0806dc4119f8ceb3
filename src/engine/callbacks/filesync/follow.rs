//! Follow paths: what a COPY names, with every symlink on the way added to what is sent.
//!
//! Links are resolved inside the root: an absolute target starts there, and `..` stops there. Any
//! component that no link hides may hold wildcards.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::patterns::{PatternError, clean, component_matcher};

/// Links that are followed one after another; as many as the kernel follows.
const MAX_DEPTH: usize = 40;

/// Resolves `paths` to the include patterns that they stand for; `None` when everything is wanted.
///
/// # Errors
/// A wildcard that cannot be read.
pub fn resolve(root: &Path, paths: &[String]) -> Result<Option<Vec<String>>, PatternError> {
    let mut resolver = Resolver {
        root,
        resolved: BTreeSet::new(),
        seen: HashSet::new(),
    };
    for path in paths {
        let parts: Vec<Part> = components(path).map(|text| Part::typed(&text)).collect();
        if parts.is_empty() {
            return Ok(None);
        }
        resolver.follow(Place::default(), &parts, false, 0)?;
    }
    let mut kept: Vec<String> = Vec::new();
    for path in resolver.resolved {
        // A link to the root.
        if path.is_empty() {
            return Ok(None);
        }
        let below = |parent: &String| {
            path.strip_prefix(parent.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if !kept.last().is_some_and(below) {
            kept.push(path);
        }
    }
    Ok(Some(kept))
}

/// One component of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// As it stands on disk.
    Name(String),
    /// With wildcards, or with escaped ones.
    Glob(String),
}

impl Part {
    /// A component as the Dockerfile has it.
    fn typed(text: &str) -> Self {
        if text.contains(['*', '?', '[', '\\']) {
            Self::Glob(text.to_owned())
        } else {
            Self::Name(text.to_owned())
        }
    }
}

/// Where the resolver is: on disk, and as an include pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Place {
    disk: String,
    pattern: String,
}

impl Place {
    fn child(&self, name: &str) -> Self {
        Self {
            disk: join(&self.disk, name),
            pattern: join(&self.pattern, &escape(name)),
        }
    }

    /// The pattern for `parts` below this place.
    fn pattern(&self, parts: &[Part]) -> String {
        parts
            .iter()
            .fold(self.pattern.clone(), |pattern, part| match part {
                Part::Name(name) => join(&pattern, &escape(name)),
                Part::Glob(text) => join(&pattern, text),
            })
    }
}

struct Resolver<'a> {
    root: &'a Path,
    resolved: BTreeSet<String>,
    /// Links that were followed already, each with what was left of the path.
    seen: HashSet<(String, Vec<Part>)>,
}

impl Resolver<'_> {
    /// Goes down from `place`, where no link is on the way, and branches at links and wildcards.
    /// With `covered`, a pattern that was resolved before matches whatever is reached without links.
    fn follow(
        &mut self,
        mut place: Place,
        mut parts: &[Part],
        covered: bool,
        depth: usize,
    ) -> Result<(), PatternError> {
        loop {
            let Some((part, rest)) = parts.split_first() else {
                if !covered {
                    self.resolved.insert(place.pattern);
                }
                return Ok(());
            };
            match part {
                Part::Name(name) => {
                    let child = place.child(name);
                    if let Some(target) = self.target(&place, &child) {
                        return self.link(child, target, rest, depth);
                    }
                    place = child;
                    parts = rest;
                }
                Part::Glob(text) => {
                    if !covered {
                        self.resolved.insert(place.pattern(parts));
                    }
                    return self.branch(&place, text, rest, depth);
                }
            }
        }
    }

    /// Looks for links behind everything in `place` that a wildcard matches.
    fn branch(
        &mut self,
        place: &Place,
        glob: &str,
        rest: &[Part],
        depth: usize,
    ) -> Result<(), PatternError> {
        let matches = component_matcher(glob)?;
        let Ok(entries) = self.root.join(&place.disk).read_dir() else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            if !matches(&name) {
                continue;
            }
            let child = place.child(&name);
            if kind.is_dir() && !rest.is_empty() {
                self.follow(child, rest, true, depth)?;
            } else if kind.is_symlink()
                && let Some(target) = self.target(place, &child)
            {
                self.link(child, target, rest, depth)?;
            }
        }
        Ok(())
    }

    /// Wants the link at `place`, and `rest` below its target.
    fn link(
        &mut self,
        place: Place,
        target: Vec<Part>,
        rest: &[Part],
        depth: usize,
    ) -> Result<(), PatternError> {
        let Place { disk, pattern } = place;
        self.resolved.insert(pattern);
        if depth == MAX_DEPTH || !self.seen.insert((disk, rest.to_vec())) {
            return Ok(());
        }
        let mut parts = target;
        parts.extend_from_slice(rest);
        self.follow(Place::default(), &parts, false, depth + 1)
    }

    /// Target, relative to the root, of the link at `place` in `directory`.
    fn target(&self, directory: &Place, place: &Place) -> Option<Vec<Part>> {
        let link = self.root.join(&place.disk).read_link().ok()?;
        let text = link.to_str()?;
        let full = if text.starts_with('/') {
            text.to_owned()
        } else {
            format!("/{}/{text}", directory.disk)
        };
        Some(components(&full).map(Part::Name).collect())
    }
}

/// The components of `path` from the root; `..` stops there.
fn components(path: &str) -> impl Iterator<Item = String> + use<> {
    let cleaned = clean(&format!("/{path}"));
    let parts: Vec<String> = cleaned
        .split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    parts.into_iter()
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// A pattern that matches `name` and nothing else.
fn escape(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '*' | '?' | '[' | '\\' | '!' => pattern.extend(['\\', c]),
            // Blanks around a pattern do not count, a class does.
            c if c.is_whitespace() => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn follow(root: &Path, paths: &[&str]) -> Option<Vec<String>> {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        resolve(root, &paths).unwrap()
    }

    fn some(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|s| (*s).to_owned()).collect())
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
        assert_eq!(follow(root, &["../../x"]), some(&["x"]));
        assert_eq!(follow(root, &["missing/*/x"]), some(&["missing/*/x"]));
        assert_eq!(follow(root, &["real", "real/deep"]), some(&["real"]));
        assert_eq!(follow(root, &["a", "/"]), None);
    }

    #[test]
    fn one_link_may_be_on_the_way_to_several_paths() {
        let dir = tempfile::tempdir().unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        assert_eq!(
            follow(dir.path(), &["link/a", "link/b"]),
            some(&["link", "real/a", "real/b"])
        );
    }

    #[test]
    fn links_behind_wildcards_are_followed_and_nothing_else_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("one")).unwrap();
        std::fs::create_dir_all(root.join("two/sub")).unwrap();
        symlink("../far", root.join("one/name")).unwrap();
        symlink("two", root.join("three")).unwrap();
        assert_eq!(
            follow(root, &["*/name"]),
            some(&["*/name", "far", "one/name", "three", "two/name"])
        );
        assert_eq!(follow(root, &["t*"]), some(&["t*", "three", "two"]));
        assert_eq!(follow(root, &["two/*"]), some(&["two/*"]));
    }

    #[test]
    fn targets_are_names_and_no_patterns() {
        let dir = tempfile::tempdir().unwrap();
        symlink("[id]/ *!", dir.path().join("link")).unwrap();
        let patterns = follow(dir.path(), &["link"]).unwrap();
        let patterns = super::super::patterns::Patterns::new(&patterns).unwrap();
        assert!(patterns.judge_alone("[id]/ *!").matched);
        assert!(!patterns.judge_alone("i/ x!").matched);
    }

    #[test]
    fn links_that_grow_or_lead_to_the_root_come_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        symlink("grow/x", dir.path().join("grow")).unwrap();
        assert_eq!(follow(dir.path(), &["grow"]), some(&["grow"]));
        symlink(".", dir.path().join("here")).unwrap();
        symlink(".", dir.path().join("there")).unwrap();
        assert_eq!(follow(dir.path(), &["here"]), None);
        assert_eq!(
            follow(dir.path(), &["*/*/x"]),
            some(&["*/*/x", "*/x", "grow", "here", "there", "x"])
        );
    }
}
