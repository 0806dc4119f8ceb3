//! Words of a line, split as a shell does.

/// Splits `line` at blanks, with quotes and backslashes as in a shell.
///
/// # Errors
/// A quote that is not closed.
pub fn split(line: &str) -> Result<Vec<String>, &'static str> {
    shell_words::split(line).map_err(|_| "a quote is not closed")
}

/// `words` as a line that [`split`] takes apart again.
pub fn join<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    shell_words::join(words)
}
