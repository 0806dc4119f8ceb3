//! Paths as an engine sends them: which are accepted, their parts, and their order.

/// Longest path, in bytes, that the kernel takes in one call (`PATH_MAX` less its NUL).
const LONGEST_PATH: usize = 4095;

/// A path is relative, plain and in its shortest form.
pub(super) fn check(path: &[u8]) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("its name is empty");
    }
    if path.len() > LONGEST_PATH {
        return Err("its path is too long");
    }
    if path.contains(&0) {
        return Err("its name holds a NUL");
    }
    if path.starts_with(b"/") {
        return Err("its path is absolute");
    }
    for name in path.split(|b| *b == b'/') {
        match name {
            b".." => return Err("it leads outside of the destination"),
            b"" | b"." => return Err("its path has an empty part"),
            _ => {}
        }
    }
    Ok(())
}

/// Parent directory (empty: the root) and name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Whether `of` is `dir` or beneath it.
pub(super) fn is_self_or_ancestor(dir: &[u8], of: &[u8]) -> bool {
    dir.is_empty()
        || of
            .strip_prefix(dir)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Sort key of a path: byte order with `/` below every other byte, that is depth first.
pub(super) fn order(path: &[u8]) -> impl Iterator<Item = u16> + '_ {
    path.iter()
        .map(|b| if *b == b'/' { 0 } else { u16::from(*b) + 1 })
}
