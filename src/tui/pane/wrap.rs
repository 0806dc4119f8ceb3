//! Long lines in several rows.

use unicode_width::UnicodeWidthChar;

/// A line in parts of at most `width` cells, broken at spaces where there are some.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut used = 0;
    // Bytes of `part`, and its cells, up to the last space.
    let mut space: Option<(usize, usize)> = None;
    for letter in crate::term::width::characters(line) {
        let wide = letter.width().unwrap_or(0);
        if used + wide > width {
            if letter == ' ' {
                parts.push(std::mem::take(&mut part));
                (used, space) = (0, None);
                continue;
            }
            if let Some((at, until)) = space.take()
                && !part.get(..at).unwrap_or_default().trim().is_empty()
            {
                let rest = part.split_off(at);
                parts.push(std::mem::replace(&mut part, rest).trim_end().to_owned());
                used -= until;
            }
            if used + wide > width {
                parts.push(std::mem::take(&mut part));
                used = 0;
            }
        }
        part.push(letter);
        used += wide;
        if letter == ' ' {
            space = Some((part.len(), used));
        }
    }
    if !part.is_empty() || parts.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::term::width::cells;

    #[test]
    fn lines_break_at_spaces_and_elsewhere_if_they_must() {
        assert_eq!(
            wrap("make all the things", 8),
            ["make all", "the", "things"]
        );
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("    ab", 3), ["   ", "ab"]);
    }

    proptest! {
        #[test]
        fn parts_fit_and_nothing_but_spaces_is_lost(text in "[a-c 世\u{301}]{0,60}", width in 2usize..12) {
            let parts = wrap(&text, width);
            for part in &parts {
                prop_assert!(cells(part) <= width, "{part:?}");
            }
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&parts.concat()), bare(&text));
        }
    }
}
