//! Results on standard output: whole, or the command fails.

use std::io::{self, ErrorKind, Write};

/// Writes `bytes` to standard output. A reader that went away is no reason to fail.
///
/// # Errors
/// What else keeps them from getting there, such as a full disk, as one line.
pub(super) fn write(bytes: &[u8]) -> Result<(), String> {
    deliver(&mut io::stdout().lock(), bytes)
}

fn deliver(to: &mut impl Write, bytes: &[u8]) -> Result<(), String> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_a_reader_that_left_is_none() {
        let mut full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let said = deliver(&mut full, b"result").unwrap_err();
        assert!(said.starts_with("cannot write to standard output: No space"));
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(deliver(&mut writer, b"result"), Ok(()));
    }
}
