//! Which commit the context comes from, read from the repository's files: no `git` is started
//! unless the user asks whether there are uncommitted changes, or the repository keeps its
//! references in a way that only `git` can read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::fields::truth;

/// Most bytes read of one of git's files; a `packed-refs` of 500,000 references fits.
const LARGEST: u64 = 64 << 20;

/// A work tree and its repository.
struct Repository {
    root: PathBuf,
    /// Of this work tree: holds `HEAD`.
    dir: PathBuf,
    /// Shared by all work trees: holds references and `config`.
    common: PathBuf,
}

/// The frontend's attributes about the version control of `context`, and labels where the
/// environment asks for them; empty outside of a git work tree.
///
/// `dirs` are the local sources by their names. `BUILDX_GIT_INFO=false` turns everything off,
/// `BUILDX_GIT_CHECK_DIRTY` and `BUILDX_GIT_LABELS` (`true` or `full`) ask for more.
pub fn attributes(
    env: &dyn Fn(&str) -> Option<String>,
    context: &Path,
    dirs: &[(String, PathBuf)],
    dockerfile: &Path,
) -> BTreeMap<String, String> {
    let mut attrs = BTreeMap::new();
    let flag = |name: &str| env(name).and_then(|value| truth(&value));
    if flag("BUILDX_GIT_INFO") == Some(false) {
        return attrs;
    }
    let Ok(context) = fs::canonicalize(context) else {
        return attrs;
    };
    let Some(repository) = find(&context) else {
        return attrs;
    };
    let labels = env("BUILDX_GIT_LABELS").filter(|value| truth(value) != Some(false));
    if let Some(mut revision) = repository.head() {
        if flag("BUILDX_GIT_CHECK_DIRTY") == Some(true) && repository.is_dirty() {
            revision.push_str("-dirty");
        }
        if labels.is_some() {
            attrs.insert(
                "label:org.opencontainers.image.revision".to_owned(),
                revision.clone(),
            );
        }
        attrs.insert("vcs:revision".to_owned(), revision);
    }
    if let Some(source) = repository.origin() {
        if labels.as_deref() == Some("full") {
            attrs.insert(
                "label:org.opencontainers.image.source".to_owned(),
                source.clone(),
            );
        }
        attrs.insert("vcs:source".to_owned(), source);
    }
    if labels.is_some()
        && let Ok(dockerfile) = fs::canonicalize(dockerfile)
        && let Ok(within) = dockerfile.strip_prefix(&repository.root)
    {
        attrs.insert(
            "label:com.docker.image.source.entrypoint".to_owned(),
            within.display().to_string(),
        );
    }
    for (name, dir) in dirs {
        if let Ok(dir) = fs::canonicalize(dir)
            && let Ok(within) = dir.strip_prefix(&repository.root)
        {
            let within = match within.to_str() {
                Some("") => ".",
                Some(within) => within,
                None => continue,
            };
            attrs.insert(format!("vcs:localdir:{name}"), within.to_owned());
        }
    }
    attrs
}

fn find(start: &Path) -> Option<Repository> {
    let (root, git) = start
        .ancestors()
        .map(|dir| (dir, dir.join(".git")))
        .find(|(_, git)| git.exists())?;
    let dir = if git.is_dir() {
        git
    } else {
        // A linked work tree or a submodule: a file that says where.
        let text = read(&git)?;
        let target = text.trim().strip_prefix("gitdir:")?.trim();
        root.join(target)
    };
    let common =
        read(&dir.join("commondir")).map_or_else(|| dir.clone(), |text| dir.join(text.trim()));
    Some(Repository {
        root: root.to_path_buf(),
        dir,
        common,
    })
}

fn read(path: &Path) -> Option<String> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return None;
    }
    fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Repository {
    fn head(&self) -> Option<String> {
        let mut text = read(&self.dir.join("HEAD"))?.trim().to_owned();
        // A reference may name another one; git allows five steps.
        for _ in 0..5 {
            if is_object_id(&text) {
                return Some(text);
            }
            let name = text.strip_prefix("ref:")?.trim().to_owned();
            // `refs/heads/.invalid` stands there when references are in a reftable.
            if name.ends_with("/.invalid") {
                return self
                    .git(&["rev-parse", "HEAD"])
                    .filter(|id| is_object_id(id));
            }
            if name.split('/').any(|part| part == "..") {
                return None;
            }
            text = match read(&self.dir.join(&name)).or_else(|| read(&self.common.join(&name))) {
                Some(text) => text.trim().to_owned(),
                None => return self.packed(&name),
            };
        }
        None
    }

    fn packed(&self, name: &str) -> Option<String> {
        let packed = read(&self.common.join("packed-refs"))?;
        packed.lines().find_map(|line| {
            let (id, reference) = line.split_once(' ')?;
            (reference == name && is_object_id(id)).then(|| id.to_owned())
        })
    }

    /// The URL of the remote `origin`, without credentials.
    fn origin(&self) -> Option<String> {
        let config = read(&self.common.join("config"))?;
        let mut within = false;
        for line in config.lines() {
            let line = line.trim();
            if line.starts_with('[') {
                within = line.starts_with("[remote \"origin\"]");
            } else if within
                && let Some((key, value)) = line.split_once('=')
                && key.trim().eq_ignore_ascii_case("url")
            {
                let value = value.trim().trim_matches('"');
                return (!value.is_empty()).then(|| without_credentials(value));
            }
        }
        None
    }

    fn is_dirty(&self) -> bool {
        self.git(&["status", "--porcelain", "--ignored=no"])
            .is_some_and(|text| !text.is_empty())
    }

    fn git(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.root)
            .args(args)
            .stdin(std::process::Stdio::null())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn without_credentials(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once("://")
        && scheme.starts_with("http")
    {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if let Some((_, host)) = host.rsplit_once('@') {
            return format!("{scheme}://{host}{path}");
        }
    }
    url.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c24ca36b9dc240e0e551d1b9d290524a0299bd6";

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::create_dir_all(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("Dockerfile"), "FROM scratch").unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(git.join("refs/heads/main"), format!("{ID}\n")).unwrap();
        fs::write(
            git.join("config"),
            "[core]\n\turl = no\n[remote \"origin\"]\n\turl = https://u:p@example.org/a/b.git\n",
        )
        .unwrap();
        dir
    }

    fn attrs(root: &Path, context: &str, env: &[(&str, &str)]) -> BTreeMap<String, String> {
        let env = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let context = root.join(context);
        let dirs = [
            ("context".to_owned(), context.clone()),
            ("dockerfile".to_owned(), root.to_path_buf()),
            ("elsewhere".to_owned(), PathBuf::from("/")),
        ];
        attributes(&env, &context, &dirs, &root.join("Dockerfile"))
    }

    #[test]
    fn a_branch_in_a_file() {
        let dir = repository();
        let attrs = attrs(dir.path(), "sub", &[]);
        let shown: Vec<_> = attrs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            shown,
            [
                "vcs:localdir:context=sub",
                "vcs:localdir:dockerfile=.",
                &format!("vcs:revision={ID}"),
                "vcs:source=https://example.org/a/b.git",
            ]
        );
    }

    #[test]
    fn packed_detached_and_linked() {
        let dir = repository();
        let git = dir.path().join(".git");
        fs::remove_file(git.join("refs/heads/main")).unwrap();
        assert!(!attrs(dir.path(), "", &[]).contains_key("vcs:revision"));
        fs::write(
            git.join("packed-refs"),
            format!(
                "# pack-refs\n{} refs/heads/maine\n{ID} refs/heads/main\n",
                "0".repeat(40)
            ),
        )
        .unwrap();
        assert_eq!(attrs(dir.path(), "", &[])["vcs:revision"], ID);
        fs::write(git.join("HEAD"), format!("{}\n", "1".repeat(40))).unwrap();
        assert_eq!(attrs(dir.path(), "", &[])["vcs:revision"], "1".repeat(40));

        let tree = dir.path().join("tree");
        let private = git.join("worktrees/tree");
        fs::create_dir_all(&tree).unwrap();
        fs::create_dir_all(&private).unwrap();
        fs::write(
            tree.join(".git"),
            format!("gitdir: {}\n", private.display()),
        )
        .unwrap();
        fs::write(private.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(private.join("commondir"), "../..\n").unwrap();
        let attrs = attrs(&tree, "", &[]);
        assert_eq!(attrs["vcs:revision"], ID);
        assert_eq!(attrs["vcs:source"], "https://example.org/a/b.git");
        assert_eq!(attrs["vcs:localdir:context"], ".");
    }

    #[test]
    fn asked_for_more_or_less() {
        let dir = repository();
        assert!(attrs(dir.path(), "", &[("BUILDX_GIT_INFO", "false")]).is_empty());
        let some = attrs(dir.path(), "", &[("BUILDX_GIT_LABELS", "1")]);
        assert_eq!(some["label:org.opencontainers.image.revision"], ID);
        assert_eq!(
            some["label:com.docker.image.source.entrypoint"],
            "Dockerfile"
        );
        assert!(!some.contains_key("label:org.opencontainers.image.source"));
        let full = attrs(dir.path(), "", &[("BUILDX_GIT_LABELS", "full")]);
        assert_eq!(
            full["label:org.opencontainers.image.source"],
            "https://example.org/a/b.git"
        );
    }

    #[test]
    fn credentials_go() {
        assert_eq!(without_credentials("https://t@h/x"), "https://h/x");
        assert_eq!(without_credentials("https://h/x@y"), "https://h/x@y");
        assert_eq!(without_credentials("git@h:x"), "git@h:x");
    }
}
