//! Operating system commands: titles and the clipboard.

use base64::Engine as _;

use crate::term::escape;

/// Longest title in characters.
const MAX_TITLE: usize = 256;

/// Longest text for the clipboard in bytes.
pub(crate) const MAX_CLIPBOARD: usize = 64 * 1024;

/// The number of a command, and what follows the first semicolon.
pub(crate) fn split(command: &[u8]) -> (&[u8], &[u8]) {
    match command.iter().position(|b| *b == b';') {
        Some(at) => {
            let (number, rest) = command.split_at(at);
            (number, rest.get(1..).unwrap_or_default())
        }
        None => (command, &[]),
    }
}

/// A title made harmless and short.
pub(crate) fn title(text: &[u8]) -> String {
    let start = text.get(..MAX_TITLE * 4).unwrap_or(text);
    let start: String = String::from_utf8_lossy(start)
        .chars()
        .take(MAX_TITLE)
        .collect();
    escape::line(&start).chars().take(MAX_TITLE).collect()
}

/// The text of OSC 52's `selection;base64`. `None` for a question, and for what is no base64 or too long:
/// half of a text is worse than none.
pub(crate) fn clipboard(payload: &[u8]) -> Option<Vec<u8>> {
    let (selection, data) = split(payload);
    let known = selection.iter().all(|b| b"cpqs01234567".contains(b));
    if !known || data.is_empty() || data.len() > MAX_CLIPBOARD.div_ceil(3) * 4 {
        return None;
    }
    let padding = base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, padding)
        .decode(data)
        .ok()
        .filter(|text| text.len() <= MAX_CLIPBOARD)
}
