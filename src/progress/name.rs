//! What the name of a step says about its place, as Docker's Dockerfile frontend makes names: `[stage 2/4] TEXT`,
//! `[2/4] TEXT`, `[linux/amd64 stage 2/4] TEXT`, `[internal] TEXT`.

/// Where a step belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs<'a> {
    /// It prepares the build: no line of the Dockerfile asks for it.
    Internal,
    /// It is a step of a stage.
    Stage {
        /// Platform such as `linux/arm/v7`, if the build has several.
        platform: Option<&'a str>,
        /// Name of the stage; empty if it is the only one.
        stage: &'a str,
        /// Its number in the stage, from 1.
        number: u32,
    },
    /// Something else: an export, a step of our own, or of another frontend.
    Other,
}

/// The place that a name tells.
pub fn belongs(name: &str) -> Belongs<'_> {
    let Some(words) = bracket(name) else {
        let internal = name.starts_with("resolve image config for ")
            || name.starts_with("importing cache manifest from ");
        return if internal {
            Belongs::Internal
        } else {
            Belongs::Other
        };
    };
    let (before, last) = match words.rsplit_once(' ') {
        Some((before, last)) => (before.trim(), last),
        None => ("", words),
    };
    if let Some(number) = number(last) {
        let (platform, stage) = match before.split_once(' ') {
            Some((platform, stage)) => (Some(platform), stage.trim()),
            None if before.contains('/') => (Some(before), ""),
            None => (None, before),
        };
        return Belongs::Stage {
            platform,
            stage,
            number,
        };
    }
    let mut words = words.split(' ');
    match words.any(|word| matches!(word, "internal" | "auth" | "context")) {
        true => Belongs::Internal,
        false => Belongs::Other,
    }
}

/// `build 3/4` of `[build 3/4] RUN make`; a name without brackets is itself.
pub fn label(name: &str) -> &str {
    bracket(name).unwrap_or(name)
}

/// The words in the brackets that a name begins with.
fn bracket(name: &str) -> Option<&str> {
    let (words, _) = name.strip_prefix('[')?.split_once(']')?;
    Some(words.trim())
}

/// `3` of `3/4`.
fn number(word: &str) -> Option<u32> {
    let (number, of) = word.split_once('/')?;
    of.parse::<u32>().ok()?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_dockerfile_frontend() {
        let stage = |platform, stage, number| Belongs::Stage {
            platform,
            stage,
            number,
        };
        for (name, expected) in [
            ("[build 3/4] RUN make test", stage(None, "build", 3)),
            ("[3/4] RUN make", stage(None, "", 3)),
            ("[stage-1 10/12] COPY . .", stage(None, "stage-1", 10)),
            (
                "[linux/amd64 build 3/4] RUN x",
                stage(Some("linux/amd64"), "build", 3),
            ),
            (
                "[linux/arm/v7 3/4] RUN x",
                stage(Some("linux/arm/v7"), "", 3),
            ),
            (
                "[linux/arm64->amd64 build 1/2] RUN x",
                stage(Some("linux/arm64->amd64"), "build", 1),
            ),
            ("[internal 1/2] RUN x", stage(None, "internal", 1)),
            (
                "[internal] load build definition from Dockerfile",
                Belongs::Internal,
            ),
            (
                "[linux/amd64 internal] load metadata for docker.io/library/busybox",
                Belongs::Internal,
            ),
            (
                "[auth] library/golang:pull token for registry-1.docker.io",
                Belongs::Internal,
            ),
            ("[context base] load .dockerignore", Belongs::Internal),
            (
                "resolve image config for docker-image://docker.io/docker/dockerfile:1",
                Belongs::Internal,
            ),
            ("importing cache manifest from local:1", Belongs::Internal),
            ("exporting to image", Belongs::Other),
            ("[mine] compile", Belongs::Other),
            ("[", Belongs::Other),
            ("[]", Belongs::Other),
            ("[3/]", Belongs::Other),
            ("[build 3/4", Belongs::Other),
            ("[99999999999/4] x", Belongs::Other),
            ("", Belongs::Other),
        ] {
            assert_eq!(belongs(name), expected, "{name}");
        }
        assert_eq!(label("[build 3/4] RUN make"), "build 3/4");
        assert_eq!(label("exporting to image"), "exporting to image");
    }
}
