//! How the engine names operations.

/// The name of an operation in definitions and statuses: the SHA-256 of its bytes as received, which
/// another encoding of the same operation does not have.
pub fn digest(op: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, op);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// The name in statuses of the operation `digest` when its cache is ignored while another build has the
/// same one with its cache. Errors and definitions keep the first name.
pub fn ignoring_cache(digest: &str) -> String {
    self::digest(format!("{digest}-ignorecache").as_bytes())
}
