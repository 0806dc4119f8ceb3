//! An agent made of key files: it lists them and signs with them, and does nothing else.
//!
//! The protocol is draft-ietf-sshm-ssh-agent: a length, a type, and fields as in SSH itself.

mod scalar;

use std::path::{Path, PathBuf};

use rsa::pkcs1v15::SigningKey;
use rsa::sha2::{Sha256, Sha512};
use rsa::signature::{SignatureEncoding, Signer};
use rsa::{BigUint, RsaPrivateKey};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{PrivateKey, Signature};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest request, in bytes: OpenSSH's own limit.
const LARGEST: usize = 256 << 10;
/// Largest key file, in bytes.
const LARGEST_FILE: u64 = 64 << 10;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// Flags of a request for a signature by an RSA key.
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// Private keys, each with its public half as it travels.
pub struct Keys(Vec<(Vec<u8>, PrivateKey)>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Reads key files in OpenSSH's format.
    ///
    /// # Errors
    /// One line with the file's name and what helps.
    pub fn read(files: &[PathBuf]) -> Result<Self, String> {
        files
            .iter()
            .map(|file| {
                let key = read(file).map_err(|why| format!("{}: {why}", file.display()))?;
                let public = key
                    .public_key()
                    .to_bytes()
                    .map_err(|error| format!("{}: {error}", file.display()))?;
                Ok((public, key))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Serves one connection to its end.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) {
        while let Ok(length) = stream.read_u32().await {
            let Some(length) = usize::try_from(length).ok().filter(|n| *n <= LARGEST) else {
                return;
            };
            let mut request = vec![0; length];
            if stream.read_exact(&mut request).await.is_err() {
                return;
            }
            let answer = self.answer(&request).unwrap_or_else(|| vec![FAILURE]);
            let mut message = Vec::with_capacity(answer.len() + 4);
            put(&mut message, &answer);
            if stream.write_all(&message).await.is_err() {
                return;
            }
        }
    }

    /// The answer to a request; `None` for what this agent does not do.
    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let (kind, mut rest) = request.split_first()?;
        match *kind {
            REQUEST_IDENTITIES => {
                let mut answer = vec![IDENTITIES_ANSWER];
                answer.extend(u32::try_from(self.0.len()).ok()?.to_be_bytes());
                for (public, key) in &self.0 {
                    put(&mut answer, public);
                    put(&mut answer, key.comment().as_bytes());
                }
                Some(answer)
            }
            SIGN_REQUEST => {
                let public = take(&mut rest)?;
                let data = take(&mut rest)?;
                let flags = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
                let (_, key) = self.0.iter().find(|(known, _)| known == public)?;
                let (algorithm, blob) = sign(key, data, flags)?;
                let mut signature = Vec::new();
                put(&mut signature, algorithm.as_bytes());
                put(&mut signature, &blob);
                let mut answer = vec![SIGN_RESPONSE];
                put(&mut answer, &signature);
                Some(answer)
            }
            _ => None,
        }
    }
}

fn read(file: &Path) -> Result<PrivateKey, String> {
    let size = std::fs::metadata(file)
        .map_err(|error| error.to_string())?
        .len();
    if size > LARGEST_FILE {
        return Err("too large for a key".into());
    }
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let key = PrivateKey::from_openssh(&text).or_else(|error| match scalar::widened(&text) {
        Some(bytes) => PrivateKey::from_bytes(&bytes),
        None => Err(error),
    });
    let key = key.map_err(|_| {
        "no private key in OpenSSH's format (ssh-keygen -p -f FILE converts older ones)".to_owned()
    })?;
    if key.is_encrypted() {
        return Err(
            "needs a passphrase: add it to an agent (ssh-add) and use --ssh default".into(),
        );
    }
    Ok(key)
}

/// A signature: the name of its algorithm, and its bytes.
fn sign(key: &PrivateKey, data: &[u8], flags: u32) -> Option<(String, Vec<u8>)> {
    if let KeypairData::Rsa(pair) = key.key_data() {
        let (algorithm, blob) = sign_rsa(pair, data, flags)?;
        return Some((algorithm.to_owned(), blob));
    }
    let signature: Signature = key.try_sign(data).ok()?;
    let algorithm = signature.algorithm().as_str().to_owned();
    Some((algorithm, signature.as_bytes().to_vec()))
}

/// ssh-key 0.6.7 takes the first prime for both, and so cannot sign with RSA keys by itself.
fn sign_rsa(pair: &RsaKeypair, data: &[u8], flags: u32) -> Option<(&'static str, Vec<u8>)> {
    let number = |number: &ssh_key::Mpint| number.as_positive_bytes().map(BigUint::from_bytes_be);
    let private = RsaPrivateKey::from_components(
        number(&pair.public.n)?,
        number(&pair.public.e)?,
        number(&pair.private.d)?,
        vec![number(&pair.private.p)?, number(&pair.private.q)?],
    )
    .ok()?;
    if flags & RSA_SHA2_512 != 0 {
        let signature = SigningKey::<Sha512>::new(private).try_sign(data).ok()?;
        return Some(("rsa-sha2-512", signature.to_vec()));
    }
    // Neither flag means SHA-1, which nobody should accept any more.
    if flags & RSA_SHA2_256 == 0 {
        return None;
    }
    let signature = SigningKey::<Sha256>::new(private).try_sign(data).ok()?;
    Some(("rsa-sha2-256", signature.to_vec()))
}

/// Appends a string: its length and its bytes.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing here comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend(length.to_be_bytes());
    to.extend(bytes);
}

/// Takes a string off the front.
fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *from = rest;
    Some(bytes)
}
