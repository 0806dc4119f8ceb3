//! `buildx version`.

/// The line that scripts read: name, version, git revision.
pub fn line() -> String {
    format!(
        "buildx {} {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("BUILDX_REVISION")
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn three_words() {
        let line = super::line();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words.len(), 3, "{line:?}");
        assert_eq!(words[..2], ["buildx", env!("CARGO_PKG_VERSION")]);
    }
}
