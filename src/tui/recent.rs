//! Builds that were started before: what of their words is kept, and where.
//!
//! Values of build arguments may be secret, so only their names are kept: a build argument without a value has that of
//! the environment. A build with another word in which a secret may stand is not kept at all; to leave such a word out
//! would make it another build.

use std::path::Path;

use crate::build::flags;

/// Builds that are kept.
pub const KEPT: usize = 20;

/// Most bytes of the file: of lines that are longer than any honest one.
const LARGEST_FILE: u64 = 1 << 20;

/// Parts of names of values that are nobody's business.
const SECRET: [&str; 5] = ["secret", "token", "password", "passwd", "key"];

/// The words to keep of a build, its files named from the root; `None` when it is not to be kept. `words` have each
/// flag with its value in one word.
pub fn kept(words: &[String], directory: &Path) -> Option<Vec<String>> {
    let mut kept = Vec::with_capacity(words.len());
    let mut plain = false;
    for word in words {
        let word = match word.strip_prefix("--").filter(|_| !plain) {
            Some("") => {
                plain = true;
                word.clone()
            }
            Some(flag) => of_flag(flag, word, directory)?,
            None => place(word, directory)?,
        };
        kept.push(word);
    }
    Some(kept)
}

fn of_flag(flag: &str, word: &str, directory: &Path) -> Option<String> {
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, value),
        None => return Some(word.to_owned()),
    };
    match name {
        "build-arg" => {
            let argument = value.split_once('=').map_or(value, |(name, _)| name);
            Some(format!("--build-arg={argument}"))
        }
        "file" => Some(format!("--file={}", place(value, directory)?)),
        // They name where a secret is; the value is not among the words.
        "secret" | "ssh" => Some(word.to_owned()),
        _ => {
            let attributes = value.split(',').filter_map(|part| part.split_once('='));
            let secret = attributes
                .map(|(name, _)| name.to_ascii_lowercase())
                .any(|name| SECRET.iter().any(|part| name.contains(part)));
            (!secret && harmless(value)).then(|| word.to_owned())
        }
    }
}

/// A file or directory from the root; an address as it is.
fn place(word: &str, directory: &Path) -> Option<String> {
    let address =
        word.contains("://") || word.starts_with("git@") || word.starts_with("github.com/");
    match (word, address) {
        ("-", _) => None,
        (word, true) => harmless(word).then(|| word.to_owned()),
        (word, false) => {
            let path = directory.join(word);
            let path: std::path::PathBuf = path.components().collect();
            path.into_os_string().into_string().ok()
        }
    }
}

/// Whether no user with a password stands in an address.
fn harmless(text: &str) -> bool {
    text.split_once("://").is_none_or(|(_, rest)| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.contains('@')
    })
}

/// Puts a build before the others.
pub fn add(recent: &mut Vec<Vec<String>>, words: Vec<String>) {
    recent.retain(|known| *known != words);
    recent.insert(0, words);
    recent.truncate(KEPT);
}

/// The builds of a file, the newest first; none when it cannot be read.
pub fn load(file: &Path) -> Vec<Vec<String>> {
    let small =
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST_FILE);
    if !small {
        return Vec::new();
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|words: &Vec<String>| flags::parse(words).is_ok())
        .take(KEPT)
        .collect()
}

/// Puts a build before the others of a file. Blocks.
///
/// # Errors
/// The file cannot be written.
pub fn save(file: &Path, words: Vec<String>) -> std::io::Result<()> {
    use std::io::Write;
    let mut recent = load(file);
    add(&mut recent, words);
    let mut text = String::new();
    for words in &recent {
        text.push_str(&serde_json::to_string(words)?);
        text.push('\n');
    }
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        kept(&words, Path::new("/home/me")).map(|words| words.join(" "))
    }

    #[test]
    fn no_secret_is_kept() {
        let table = [
            ("--tag=a:b sub/./x", Some("--tag=a:b /home/me/sub/x")),
            (
                "--build-arg=TOKEN=hunter2 --build-arg=X .",
                Some("--build-arg=TOKEN --build-arg=X /home/me"),
            ),
            (
                "--secret=id=a,env=TOKEN --file=D .",
                Some("--secret=id=a,env=TOKEN --file=/home/me/D /home/me"),
            ),
            ("--no-cache -- -odd", Some("--no-cache -- /home/me/-odd")),
            ("--cache-to=type=s3,secret_access_key=x .", None),
            ("--cache-to=type=gha,ghtoken=x .", None),
            ("https://me:pw@example.com/a.git", None),
            (
                "https://example.com/a.git#main",
                Some("https://example.com/a.git#main"),
            ),
            ("--build-context=a=https://u:p@h/x .", None),
            ("-", None),
        ];
        for (line, expected) in table {
            assert_eq!(of(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn the_newest_first_and_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("recent");
        assert!(load(&file).is_empty());
        for number in 0..=KEPT {
            save(&file, vec![format!("--tag=t{number}"), "/x".to_owned()]).unwrap();
        }
        save(&file, vec!["--tag=t5".to_owned(), "/x".to_owned()]).unwrap();
        let recent = load(&file);
        assert_eq!(recent.len(), KEPT);
        assert_eq!(recent[0][0], "--tag=t5");
        assert_eq!(
            recent.iter().filter(|words| words[0] == "--tag=t5").count(),
            1
        );
        std::fs::write(&file, "[\"--frob\"]\nnonsense\n[\"/a\"]\n").unwrap();
        assert_eq!(load(&file), [["/a"]]);
    }
}
