//! `--platform`: `os/architecture[/variant]` and its many spellings.

use std::fmt;

use super::Invalid;
use crate::build::suggest::{did_you_mean, nearest};

const SYSTEMS: [&str; 14] = [
    "linux",
    "windows",
    "darwin",
    "freebsd",
    "openbsd",
    "netbsd",
    "dragonfly",
    "solaris",
    "aix",
    "android",
    "illumos",
    "js",
    "plan9",
    "wasi",
];
const ARCHITECTURES: [&str; 18] = [
    "amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "ppc64", "s390x", "mips64le", "mips64",
    "mipsle", "mips", "loong64", "wasm", "sparc64", "s390", "riscv", "armbe",
];

/// A platform asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// That of the engine.
    Local,
    /// This one, normalised.
    Named {
        /// Operating system.
        os: String,
        /// Architecture, by Go's name.
        architecture: String,
        /// Variant of the architecture; empty for the usual one.
        variant: String,
    },
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Platform::Local => f.write_str("local"),
            Platform::Named {
                os,
                architecture,
                variant,
            } => {
                write!(f, "{os}/{architecture}")?;
                if variant.is_empty() {
                    Ok(())
                } else {
                    write!(f, "/{variant}")
                }
            }
        }
    }
}

/// A comma-separated list of platforms.
///
/// # Errors
/// Which one is none.
pub fn list(text: &str) -> Result<Vec<Platform>, Invalid> {
    text.split(',').map(|one| parse(one.trim())).collect()
}

/// One platform.
///
/// # Errors
/// Why it is none.
pub fn parse(text: &str) -> Result<Platform, Invalid> {
    if text == "local" {
        return Ok(Platform::Local);
    }
    let parts: Vec<String> = text.split('/').map(str::to_lowercase).collect();
    let word = |part: &String| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    if !parts.iter().all(word) {
        return Err(Invalid(format!(
            "{text:?}: invalid platform, expected os/architecture[/variant] such as linux/amd64"
        )));
    }
    let is_system = |part: &str| SYSTEMS.contains(&part) || part == "macos";
    let named = |os: &str, architecture: &str, variant: &str| {
        let (architecture, variant) = normalise(architecture, variant);
        Platform::Named {
            os: if os == "macos" { "darwin" } else { os }.to_owned(),
            architecture,
            variant,
        }
    };
    match parts.as_slice() {
        [one] if is_system(one) => Ok(named(one, std::env::consts::ARCH, "")),
        [one] if is_architecture(one) => Ok(named("linux", one, "")),
        [one] => Err(Invalid(format!(
            "{text:?}: unknown operating system or architecture{}",
            did_you_mean(one, ARCHITECTURES.into_iter().chain(SYSTEMS))
        ))),
        [architecture, variant] if is_architecture(architecture) && !is_system(architecture) => {
            Ok(named("linux", architecture, variant))
        }
        [os, rest @ ..] if rest.len() <= 2 => {
            if !is_system(os) {
                return Err(Invalid(format!(
                    "{text:?}: unknown operating system {os:?}{}",
                    did_you_mean(os, SYSTEMS)
                )));
            }
            let architecture = rest.first().map_or("", String::as_str);
            // An engine may know more architectures; only what looks like a slip is refused.
            if !is_architecture(architecture)
                && let Some(near) = nearest(architecture, ARCHITECTURES)
            {
                return Err(Invalid(format!(
                    "{text:?}: unknown architecture {architecture:?} (did you mean {near}?)"
                )));
            }
            Ok(named(
                os,
                architecture,
                rest.get(1).map_or("", String::as_str),
            ))
        }
        _ => Err(Invalid(format!(
            "{text:?}: cannot parse platform specifier, expected os/architecture[/variant]"
        ))),
    }
}

fn is_architecture(part: &str) -> bool {
    let (normal, _) = normalise(part, "");
    ARCHITECTURES.contains(&normal.as_str())
}

/// Go's name of the architecture, and its variant where it is not the usual one.
fn normalise(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386" | "i486" | "i586" | "i686" | "x86", variant) => ("386", variant),
        ("amd64" | "x86_64" | "x86-64", "v1") => ("amd64", ""),
        ("amd64" | "x86_64" | "x86-64", variant) => ("amd64", variant),
        ("arm64" | "aarch64", "8" | "v8") => ("arm64", ""),
        ("arm64" | "aarch64", variant) => ("arm64", variant),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        let table = [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("Linux/AMD64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("arm64/v8", "linux/arm64"),
            ("aarch64", "linux/arm64"),
            ("arm", "linux/arm/v7"),
            ("arm/v6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/i386", "linux/386"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("windows/amd64", "windows/amd64"),
            ("linux/brandnewarch", "linux/brandnewarch"),
            ("local", "local"),
        ];
        for (text, normal) in table {
            assert_eq!(parse(text).unwrap().to_string(), normal, "{text}");
        }
        assert_eq!(list("linux/amd64, arm64").unwrap().len(), 2);
    }

    #[test]
    fn refuses_with_a_suggestion() {
        let refused = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            refused("foo"),
            "\"foo\": unknown operating system or architecture"
        );
        assert_eq!(
            refused("adm64"),
            "\"adm64\": unknown operating system or architecture (did you mean amd64?)"
        );
        assert_eq!(
            refused("lniux/amd64"),
            "\"lniux/amd64\": unknown operating system \"lniux\" (did you mean linux?)"
        );
        assert_eq!(
            refused("linux/amd46"),
            "\"linux/amd46\": unknown architecture \"amd46\" (did you mean amd64?)"
        );
        assert!(refused("linux/amd64/x/y").contains("cannot parse platform specifier"));
        assert!(refused("").contains("invalid platform"));
        assert!(refused("linux/").contains("invalid platform"));
    }
}
