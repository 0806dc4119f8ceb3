//! Private scalars of ECDSA keys in OpenSSH's format (its PROTOCOL.key): they are written without leading zeros, which
//! makes one in 256 shorter than the curve, and of P-521 one in four. ssh-key 0.6.7 reads none that is shorter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{put, take};

/// What a key in OpenSSH's format begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// An unencrypted key is padded to a multiple of so many bytes.
const BLOCK: usize = 8;

/// The key in binary form with its scalar as long as the curve; `None` when that is not what the file lacks.
pub fn widened(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.lines().map(str::trim);
    let body: String = lines.filter(|line| !line.starts_with('-')).collect();
    let whole = STANDARD.decode(body).ok()?;

    let mut rest = whole.strip_prefix(MAGIC)?;
    let (cipher, _kdf, _options) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
    let (number, keys) = rest.split_at_checked(4)?;
    rest = keys;
    let _public = take(&mut rest)?;
    let before = whole.len() - rest.len();
    let private = widen(take(&mut rest)?)?;
    if cipher != b"none" || number != [0, 0, 0, 1] || !rest.is_empty() {
        return None;
    }
    let mut key = whole.get(..before)?.to_vec();
    put(&mut key, &private);
    Some(key)
}

/// The private section: two equal numbers, then the key's kind, curve, point, scalar and comment, then padding.
fn widen(section: &[u8]) -> Option<Vec<u8>> {
    let (checks, mut rest) = section.split_at_checked(8)?;
    let (kind, curve, point) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
    let (scalar, comment) = (take(&mut rest)?, take(&mut rest)?);
    // 4, and both coordinates.
    let size = point.len().checked_sub(1)? / 2;
    if !kind.starts_with(b"ecdsa-sha2-") || scalar.len() >= size {
        return None;
    }
    let mut wide = vec![0; size - scalar.len()];
    wide.extend(scalar);
    let mut widened = checks.to_vec();
    for field in [kind, curve, point, &wide, comment] {
        put(&mut widened, field);
    }
    let missing = widened.len().next_multiple_of(BLOCK) - widened.len();
    widened.extend((1..).take(missing));
    Some(widened)
}

#[cfg(test)]
mod tests {
    use ssh_key::{PrivateKey, PublicKey};

    use super::*;

    /// Made by ssh-keygen; the scalar has 31 bytes.
    const SHORT: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQTq5x4ydcP6q+8Tfu7Llb7xYGOwFwM8
0IRDfHmP6v5K04d5RBOXr6OGQYcOw/1k0aaziKiIEEkwXDBJraYGySZYAAAAqGxnutdsZ7
rXAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOrnHjJ1w/qr7xN+
7suVvvFgY7AXAzzQhEN8eY/q/krTh3lEE5evo4ZBhw7D/WTRprOIqIgQSTBcMEmtpgbJJl
gAAAAfAo3mr0dlLLOuD+Wny8IGh5yLf46fQqJgaRD5LlZO/wAAAAxzaG9ydCBzY2FsYXIB
AgMEBQ==
-----END OPENSSH PRIVATE KEY-----
";
    const PUBLIC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOrnHjJ1w/qr7xN+7suVvvFgY7AXAzzQhEN8eY/q/krTh3lEE5evo4ZBhw7D/WTRprOIqIgQSTBcMEmtpgbJJlg= short scalar";

    #[test]
    fn a_short_scalar_is_widened() {
        PrivateKey::from_openssh(SHORT)
            .expect_err("the library reads it: this is not needed any more");
        let key = PrivateKey::from_bytes(&widened(SHORT.as_bytes()).unwrap()).unwrap();
        assert_eq!(key.public_key(), &PublicKey::from_openssh(PUBLIC).unwrap());
        let private = key.key_data().ecdsa().unwrap().private_key_bytes().to_vec();
        assert_eq!((private.len(), private[0]), (32, 0));
    }

    #[test]
    fn what_is_no_such_key_stays_as_it_is() {
        let whole = widened(SHORT.as_bytes()).unwrap();
        let again = STANDARD.encode(&whole);
        for text in ["", "no key", &SHORT[..200], &again] {
            assert_eq!(widened(text.as_bytes()), None, "{text}");
        }
    }
}
