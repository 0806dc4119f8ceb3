//! Text measured in terminal cells.
//!
//! The texts here have passed [`super::escape`], so the only sequences in them are colours; these
//! take no cells and are never cut in two.

use unicode_width::UnicodeWidthChar;

/// One thing to print: a colour sequence, or a character with its cells.
enum Item<'a> {
    Colour(&'a str),
    Char(char, usize),
}

fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.starts_with("\x1b[") {
            let end = rest.find('m').map_or(rest.len(), |i| i + 1);
            let (sequence, tail) = rest.split_at(end);
            rest = tail;
            return Some(Item::Colour(sequence));
        }
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        Some(match c {
            '\t' => Item::Char(' ', 1),
            // Terminals disagree about variation selectors; without them width is certain.
            '\u{fe00}'..='\u{fe0f}' => Item::Colour(""),
            c => Item::Char(c, c.width().unwrap_or(0)),
        })
    })
}

/// Cells that a text takes on a terminal. A tab counts as one cell, as [`fit`] writes it.
pub fn cells(text: &str) -> usize {
    items(text)
        .map(|item| match item {
            Item::Colour(_) => 0,
            Item::Char(_, width) => width,
        })
        .sum()
}

/// The characters of a text, without its colours.
pub fn characters(text: &str) -> impl Iterator<Item = char> {
    items(text).filter_map(|item| match item {
        Item::Colour(_) => None,
        Item::Char(c, _) => Some(c),
    })
}

/// The text in at most `room` cells; what does not fit is replaced by `…`. Tabs become spaces, and a cut
/// inside of colours is closed with a reset.
pub fn fit(text: &str, room: usize) -> String {
    let whole = cells(text) <= room;
    let limit = if whole { room } else { room.saturating_sub(1) };
    let mut out = String::with_capacity(text.len().min(room * 4 + 16));
    let mut used = 0;
    let mut coloured = false;
    for item in items(text) {
        match item {
            Item::Colour(sequence) => {
                if !sequence.is_empty() {
                    coloured = !matches!(sequence, "\x1b[0m" | "\x1b[m");
                }
                out.push_str(sequence);
            }
            Item::Char(c, width) => {
                if used + width > limit {
                    break;
                }
                used += width;
                out.push(c);
            }
        }
    }
    if !whole && room > 0 {
        out.push('…');
    }
    if coloured {
        out.push_str("\x1b[0m");
    }
    out
}

/// Adds spaces up to `room` cells.
pub fn pad(text: &mut String, room: usize) {
    let used = cells(text);
    text.extend(std::iter::repeat_n(' ', room.saturating_sub(used)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(cells("ab世界"), 6);
        assert_eq!(cells("e\u{301}"), 1);
        assert_eq!(cells("\x1b[0;31mab\x1b[0m"), 2);
    }

    #[test]
    fn a_cut_never_splits_a_wide_character() {
        assert_eq!(fit("ab世界", 6), "ab世界");
        assert_eq!(fit("ab世界", 5), "ab世…");
        assert_eq!(fit("ab世界", 4), "ab…");
        assert_eq!(fit("ab", 1), "…");
        assert_eq!(fit("ab", 0), "");
    }

    #[test]
    fn a_cut_colour_is_closed() {
        assert_eq!(fit("\x1b[0;31mabcdef\x1b[0m", 3), "\x1b[0;31mab…\x1b[0m");
    }

    proptest! {
        #[test]
        fn fits_always(text in "[a-z世\u{301}\t]{0,30}", room in 0usize..40) {
            let out = fit(&text, room);
            prop_assert!(cells(&out) <= room);
            if cells(&text) <= room {
                prop_assert_eq!(cells(&out), cells(&text));
            }
        }
    }
}
