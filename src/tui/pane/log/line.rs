//! A line of a log into cells: its colours, matches, and the part of it that there is room for.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use regex::Regex;
use unicode_width::UnicodeWidthChar;

/// A tab stop, in cells.
const TAB: usize = 8;

/// Bytes that are searched for matches behind what is shown.
const BEHIND: usize = 1_024;

/// Matches that are marked in one line.
const MATCHES: usize = 200;

/// A part of a text: a colour sequence without its frame, or a character.
enum Part<'a> {
    Colour(&'a str),
    Letter(char),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some(inside) = rest.strip_prefix("\x1b[")
            && let Some(end) = inside.find(|letter: char| !matches!(letter, '0'..=';'))
            && inside.get(end..).is_some_and(|tail| tail.starts_with('m'))
        {
            rest = inside.get(end + 1..).unwrap_or_default();
            return Some(Part::Colour(inside.get(..end).unwrap_or_default()));
        }
        let mut letters = rest.chars();
        let letter = letters.next()?;
        rest = letters.as_str();
        Some(Part::Letter(letter))
    })
}

/// The text without colours, for matching and copying.
pub fn plain(text: &str) -> String {
    parts(text)
        .filter_map(|part| match part {
            Part::Colour(_) => None,
            Part::Letter(letter) => Some(letter),
        })
        .collect()
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Ink<'a> {
    /// Of text without colours.
    pub base: Style,
    /// Colours of the text are obeyed.
    pub colour: bool,
    /// Cells that are cut from the left.
    pub left: usize,
    /// What is marked.
    pub regex: Option<&'a Regex>,
    /// How.
    pub found: Style,
    /// What stands at the border for text without room, and how.
    pub ellipsis: (&'a str, Style),
}

impl Ink<'_> {
    /// Draws `text` from column `x` of row `y` to the right border of `area`.
    pub fn draw(&self, text: &str, area: Rect, x: u16, y: u16, buf: &mut Buffer) {
        if y < area.top() || y >= area.bottom() || x >= area.right() {
            return;
        }
        let room = usize::from(area.right() - x);
        let end = self.left + room;
        let matches = self.matches(text, end);
        let mut matches = matches.iter().peekable();
        let mut style = self.base;
        let mut column = 0;
        let mut at = 0;
        let mut cut = self.left > 0 && !text.is_empty();
        for part in parts(text) {
            let letter = match part {
                Part::Colour(parameters) => {
                    if self.colour {
                        style = apply(style, self.base, parameters);
                    }
                    continue;
                }
                Part::Letter(letter) => letter,
            };
            while matches.next_if(|found| found.end <= at).is_some() {}
            let marked = matches.peek().is_some_and(|found| found.contains(&at));
            at += letter.len_utf8();
            let (letter, width) = match letter {
                '\t' => (' ', TAB - column % TAB),
                letter => (letter, letter.width().unwrap_or(0)),
            };
            if width == 0 {
                continue;
            }
            if column + width > end {
                let last = area.right() - 1;
                put_symbol(buf, last, y, self.ellipsis);
                break;
            }
            let style = match marked {
                true => style.patch(self.found),
                false => style,
            };
            if letter == ' ' {
                for cell in column.max(self.left)..column + width {
                    put_letter(buf, x, cell - self.left, y, ' ', style);
                }
            } else if column >= self.left {
                put_letter(buf, x, column - self.left, y, letter, style);
                if width == 2 {
                    let behind = x.saturating_add(cells(column - self.left + 1));
                    if let Some(cell) = buf.cell_mut((behind, y)) {
                        cell.reset();
                        cell.set_symbol("").set_style(style);
                    }
                }
            }
            column += width;
        }
        if cut {
            cut = column > 0;
        }
        if cut {
            put_symbol(buf, x, y, self.ellipsis);
        }
    }

    /// Places of what is marked, in bytes of the plain text.
    fn matches(&self, text: &str, cells: usize) -> Vec<Range<usize>> {
        let Some(regex) = self.regex else {
            return Vec::new();
        };
        // A character has at most four bytes; more than this cannot be in sight.
        let most = cells.saturating_mul(4).saturating_add(BEHIND);
        let mut seen = String::new();
        for part in parts(text) {
            if let Part::Letter(letter) = part {
                seen.push(letter);
                if seen.len() >= most {
                    break;
                }
            }
        }
        regex
            .find_iter(&seen)
            .map(|found| found.range())
            .filter(|found| !found.is_empty())
            .take(MATCHES)
            .collect()
    }
}

fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn put_letter(buf: &mut Buffer, x: u16, column: usize, y: u16, letter: char, style: Style) {
    if let Some(cell) = buf.cell_mut((x.saturating_add(cells(column)), y)) {
        cell.set_char(letter).set_style(style);
    }
}

fn put_symbol(buf: &mut Buffer, x: u16, y: u16, (symbol, style): (&str, Style)) {
    // Half of a wide character would be left.
    if let Some(before) = x.checked_sub(1)
        && let Some(cell) = buf.cell_mut((before, y))
        && unicode_width::UnicodeWidthStr::width(cell.symbol()) > 1
    {
        cell.set_char(' ');
    }
    let behind = x.saturating_add(1);
    let here_is_wide = buf
        .cell((x, y))
        .is_some_and(|cell| unicode_width::UnicodeWidthStr::width(cell.symbol()) > 1);
    if here_is_wide && let Some(cell) = buf.cell_mut((behind, y)) {
        cell.set_char(' ');
    }
    if let Some(cell) = buf.cell_mut((x, y)) {
        cell.set_symbol(symbol).set_style(style);
    }
}

/// The style after a colour sequence. What it does not know changes nothing; hidden and blinking text is not made.
fn apply(style: Style, base: Style, parameters: &str) -> Style {
    let mut style = style;
    let mut numbers = parameters
        .split([';', ':'])
        .map(|number| number.parse::<u16>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        style = match number {
            0 => base,
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(palette(number - 30)),
            40..=47 => style.bg(palette(number - 40)),
            90..=97 => style.fg(palette(number - 90 + 8)),
            100..=107 => style.bg(palette(number - 100 + 8)),
            38 => extended(&mut numbers).map_or(style, |colour| style.fg(colour)),
            48 => extended(&mut numbers).map_or(style, |colour| style.bg(colour)),
            39 => Style {
                fg: base.fg.or(Some(Color::Reset)),
                ..style
            },
            49 => Style {
                bg: base.bg.or(Some(Color::Reset)),
                ..style
            },
            _ => style,
        };
    }
    style
}

fn palette(index: u16) -> Color {
    const COLOURS: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    COLOURS
        .get(usize::from(index))
        .copied()
        .unwrap_or(Color::Reset)
}

fn extended(numbers: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let mut byte = || u8::try_from(numbers.next()?).ok();
    match byte()? {
        5 => Some(Color::Indexed(byte()?)),
        2 => Some(Color::Rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FOUND: Style = Style::new().bg(Color::Yellow);

    fn ink(left: usize, regex: Option<&Regex>) -> Ink<'_> {
        Ink {
            base: Style::new(),
            colour: true,
            left,
            regex,
            found: FOUND,
            ellipsis: ("~", Style::new()),
        }
    }

    fn drawn(text: &str, width: u16, ink: Ink) -> Buffer {
        let area = Rect::new(0, 0, width, 1);
        let mut buf = Buffer::empty(area);
        ink.draw(text, area, 0, 0, &mut buf);
        buf
    }

    fn row(buf: &Buffer) -> String {
        buf.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn what_has_no_room_is_cut_at_both_sides() {
        assert_eq!(row(&drawn("abcdef", 6, ink(0, None))), "abcdef");
        assert_eq!(row(&drawn("abcdef", 4, ink(0, None))), "abc~");
        assert_eq!(row(&drawn("abcdef", 4, ink(2, None))), "~def");
        assert_eq!(row(&drawn("abcdefgh", 4, ink(2, None))), "~de~");
        assert_eq!(row(&drawn("ab", 4, ink(9, None))), "~   ");
        assert_eq!(row(&drawn("", 2, ink(9, None))), "  ");
        assert_eq!(row(&drawn("a\tb", 10, ink(0, None))), "a       b ");
        assert_eq!(row(&drawn("世界世", 5, ink(0, None))), "世界~");
        assert_eq!(row(&drawn("世界世", 4, ink(0, None))), "世 ~");
    }

    #[test]
    fn colours_become_styles() {
        let text = "\x1b[1;31ma\x1b[0mb\x1b[38;5;200mc\x1b[48;2;1;2;3md\x1b[39;49me\x1b[999;5;8mf";
        let buf = drawn(text, 6, ink(0, None));
        let cell = |x: u16| buf.cell((x, 0)).unwrap().clone();
        assert_eq!(row(&buf), "abcdef");
        assert_eq!(cell(0).fg, Color::Red);
        assert!(cell(0).modifier.contains(Modifier::BOLD));
        assert_eq!(
            (cell(1).fg, cell(1).modifier),
            (Color::Reset, Modifier::empty())
        );
        assert_eq!(cell(2).fg, Color::Indexed(200));
        assert_eq!(cell(3).bg, Color::Rgb(1, 2, 3));
        assert_eq!((cell(4).fg, cell(4).bg), (Color::Reset, Color::Reset));
        assert_eq!(cell(5).modifier, Modifier::empty());
        let plain = Ink {
            colour: false,
            ..ink(0, None)
        };
        let buf = drawn(text, 6, plain);
        assert!(buf.content().iter().all(|cell| cell.fg == Color::Reset));
    }

    #[test]
    fn matches_are_marked_across_colours() {
        let regex = Regex::new("rro").unwrap();
        let buf = drawn("\x1b[31mer\x1b[0mror rro", 10, ink(0, Some(&regex)));
        let marked: Vec<bool> = buf
            .content()
            .iter()
            .map(|cell| cell.bg == Color::Yellow)
            .collect();
        let expected = [
            false, true, true, true, false, false, true, true, true, false,
        ];
        assert_eq!(marked, expected);
        let empty = Regex::new("x*").unwrap();
        let buf = drawn("ab", 3, ink(0, Some(&empty)));
        assert!(buf.content().iter().all(|cell| cell.bg == Color::Reset));
    }

    proptest! {
        /// Whatever is in a line, it stays in its row, and no cell has anything but a printable character.
        #[test]
        fn hostile_lines_stay_in_their_place(
            text in "(\x1b\\[[0-9;:]{0,12}m|\x1b|\\PC|[\u{0}-\u{1f}]|世|\u{301}|\u{202e}|\u{fe0f}|[a-z\t]){0,80}",
            width in 1u16..30, left in 0usize..40,
        ) {
            let area = Rect::new(2, 1, width, 1);
            let mut buf = Buffer::empty(Rect::new(0, 0, width + 4, 3));
            let regex = Regex::new("[a-f]+").unwrap();
            ink(left, Some(&regex)).draw(&text, area, 2, 1, &mut buf);
            for y in 0..3 {
                let mut x = 0;
                while x < width + 4 {
                    let symbol = buf.cell((x, y)).unwrap().symbol().to_owned();
                    let inside = y == 1 && (2..2 + width).contains(&x);
                    prop_assert!(inside || symbol == " ", "{symbol:?} at {x},{y}");
                    prop_assert!(symbol.chars().all(|letter| !letter.is_control()));
                    let cells = unicode_width::UnicodeWidthStr::width(symbol.as_str());
                    prop_assert!(cells <= 2 && (cells < 2 || x + 1 < 2 + width));
                    x += 1;
                }
            }
        }
    }
}
