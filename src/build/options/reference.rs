//! Image names: what may stand in `--tag` and in the names of contexts.
//!
//! Grammar of the distribution project: `[host[:port]/]path[:tag][@digest]`.

/// Checks an image name.
///
/// # Errors
/// Why it is none, in the words that docker uses.
pub fn check(name: &str) -> Result<(), &'static str> {
    const FORMAT: &str = "invalid reference format";
    if name.is_empty() {
        return Err(FORMAT);
    }
    if name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("invalid repository name, cannot specify 64-byte hexadecimal strings");
    }
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (name, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err(FORMAT);
    }
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(FORMAT);
    }
    let path = match repository.split_once('/') {
        Some((host, path)) if is_host_like(host) => {
            if !is_host(host) {
                return Err(FORMAT);
            }
            path
        }
        _ => repository,
    };
    if path.split('/').all(is_component) {
        if path.len() > 255 {
            return Err("repository name must not be more than 255 characters");
        }
        return Ok(());
    }
    if path
        .split('/')
        .all(|part| is_component(&part.to_lowercase()))
    {
        return Err("repository name must be lowercase");
    }
    Err(FORMAT)
}

/// Splits a full or familiar name into repository and tag; a name without a tag has `latest`.
pub fn repository_and_tag(name: &str) -> (&str, &str) {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

/// Whether the part before the first slash names a registry rather than a user.
fn is_host_like(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':']) || part.to_lowercase() != part
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((v6, port)) => {
                let ok = v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
                return ok && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => host
            .split_once(':')
            .map_or((host, None), |(name, port)| (name, Some(port))),
    };
    port.is_none_or(is_port)
        && name.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !alnum(*first) || !alnum(*last) {
        return false;
    }
    bytes
        .split(|b| alnum(*b))
        .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|b| *b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic())
            && algorithm
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_docker_accepts() {
        for name in [
            "app",
            "app:v1",
            "user/app",
            "a.b/c",
            "localhost/x",
            "localhost:5000/x/y_z:1.0-rc",
            "127.0.0.1:5000/x",
            "[::1]:5000/x",
            "ghcr.io/a/b--c__d.e:T",
            "x@sha256:0123456789012345678901234567890123456789012345678901234567890123",
            "MyHost/x",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn refuses_in_dockers_words() {
        let table = [
            ("", "invalid reference format"),
            ("Inv@lid", "invalid reference format"),
            ("UPPER", "repository name must be lowercase"),
            ("a//b", "invalid reference format"),
            ("a:", "invalid reference format"),
            ("a:-x", "invalid reference format"),
            ("a___b", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("a b", "invalid reference format"),
            ("ho_st.x/a", "invalid reference format"),
        ];
        for (name, why) in table {
            assert_eq!(check(name), Err(why), "{name}");
        }
        assert!(check(&"a".repeat(64)).is_err());
        assert!(check(&format!("x/{}", "b".repeat(300))).is_err());
    }

    #[test]
    fn repositories_and_tags() {
        assert_eq!(repository_and_tag("h:5/app"), ("h:5/app", "latest"));
        assert_eq!(repository_and_tag("h:5/app:x"), ("h:5/app", "x"));
    }
}
