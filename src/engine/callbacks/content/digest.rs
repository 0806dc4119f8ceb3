//! Digests as OCI writes them. They become parts of paths, so nothing else may pass as one.

use std::fmt;

/// A checked `sha256:` digest, 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

/// The text is no digest that this store can hold.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a digest (sha256: and 64 lower-case hexadecimal digits)")]
pub struct BadDigest(String);

const PREFIX: &str = "sha256:";

impl Digest {
    /// Checks `text`.
    ///
    /// # Errors
    /// Another algorithm, length or alphabet.
    pub fn parse(text: &str) -> Result<Digest, BadDigest> {
        let hex = text.strip_prefix(PREFIX).unwrap_or_default();
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if hex.len() == 64 && hex.bytes().all(digits) {
            Ok(Digest(text.to_string()))
        } else {
            Err(BadDigest(text.chars().take(120).collect()))
        }
    }

    /// The digest that a finished hash stands for.
    pub(crate) fn of(hash: &ring::digest::Digest) -> Digest {
        use fmt::Write;
        let mut text = PREFIX.to_string();
        for byte in hash.as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text)
    }

    /// The digits, which name the blob's file.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or_default()
    }

    /// With the algorithm, as in manifests.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_sha256_digests_pass() {
        let hex = "0123456789abcdef".repeat(4);
        assert_eq!(Digest::parse(&format!("sha256:{hex}")).unwrap().hex(), hex);
        for bad in [
            String::new(),
            hex.clone(),
            format!("sha512:{hex}"),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("sha256:../{}", &hex[3..]),
            format!("sha256:{}\n", &hex[1..]),
        ] {
            assert!(Digest::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_becomes_its_usual_name() {
        let empty = ring::digest::digest(&ring::digest::SHA256, b"");
        assert_eq!(
            Digest::of(&empty).as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
