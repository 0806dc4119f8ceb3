//! tmux's screens as `scripts/streams` writes them down.

use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// A cell as a person sees it: what a blank cannot show is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Empty for the second half of a wide character.
    pub text: String,
    pub front: Color,
    pub back: Color,
    pub modifier: Modifier,
}

impl Seen {
    pub fn new(text: &str, mut front: Color, back: Color, mut modifier: Modifier) -> Self {
        let drawn = Modifier::REVERSED | Modifier::UNDERLINED | Modifier::CROSSED_OUT;
        if text.trim().is_empty() {
            modifier &= drawn;
            if modifier.is_empty() {
                front = Color::Reset;
            }
        }
        Seen {
            text: text.to_string(),
            front,
            back,
            modifier,
        }
    }

    fn blank() -> Self {
        Seen::new(" ", Color::Reset, Color::Reset, Modifier::empty())
    }
}

/// The screen after a number of bytes.
pub struct Screen {
    pub byte: usize,
    pub rows: u16,
    pub cols: u16,
    /// Row and column.
    pub cursor: (u16, u16),
    pub alternate: bool,
    pub visible: bool,
    pub cells: Vec<Vec<Seen>>,
}

impl Screen {
    /// Fills rows behind the last cell that was written from the rows that were moved to the left.
    fn complete(&mut self) {
        let moved = self.cells.split_off(usize::from(self.rows));
        assert_eq!(moved.len(), usize::from(self.rows));
        for (row, mut moved) in self.cells.iter_mut().zip(moved) {
            let cols = usize::from(self.cols);
            moved.resize(cols - 1, Seen::blank());
            if row.is_empty() {
                // The first column is gone. What is erased from there on has one colour.
                row.push(moved[0].clone());
            }
            row.extend_from_slice(&moved[row.len() - 1..]);
            assert_eq!(row.len(), cols);
        }
    }
}

/// All screens of a file.
pub fn read(file: &[u8]) -> Vec<Screen> {
    let text = std::str::from_utf8(file).unwrap();
    let mut screens: Vec<Screen> = Vec::new();
    let mut pen = Pen::default();
    for line in text.lines() {
        if let Some(numbers) = line.strip_prefix("@ ") {
            let numbers: Vec<usize> = numbers.split(' ').map(|n| n.parse().unwrap()).collect();
            let [byte, rows, cols, row, col, alternate, visible] = numbers[..] else {
                panic!("{line}");
            };
            pen = Pen::default();
            screens.push(Screen {
                byte,
                rows: rows as u16,
                cols: cols as u16,
                cursor: (row as u16, col as u16),
                alternate: alternate == 1,
                visible: visible == 1,
                cells: Vec::new(),
            });
        } else {
            let screen = screens.last_mut().unwrap();
            let cells = pen.write(line);
            assert!(cells.len() <= usize::from(screen.cols), "{line}");
            screen.cells.push(cells);
            if screen.cells.len() == usize::from(screen.rows) {
                pen = Pen::default();
            }
        }
    }
    screens.iter_mut().for_each(Screen::complete);
    screens
}

/// What SGR and SO have set, from one row to the next.
#[derive(Default)]
struct Pen {
    /// Letters are lines.
    drawing: bool,
    front: Color,
    back: Color,
    modifier: Modifier,
}

impl Pen {
    fn write(&mut self, line: &str) -> Vec<Seen> {
        let mut cells: Vec<Seen> = Vec::new();
        let mut pieces = line.split("\x1b[");
        self.text(pieces.next().unwrap(), &mut cells);
        for piece in pieces {
            let (sgr, text) = piece.split_once('m').unwrap();
            self.sgr(sgr);
            self.text(text, &mut cells);
        }
        cells
    }

    fn text(&mut self, text: &str, cells: &mut Vec<Seen>) {
        for c in text.chars() {
            if matches!(c, '\x0e' | '\x0f') {
                self.drawing = c == '\x0e';
                continue;
            }
            let text = match c {
                'q' if self.drawing => "─".to_string(),
                'x' if self.drawing => "│".to_string(),
                'l' if self.drawing => "┌".to_string(),
                'k' if self.drawing => "┐".to_string(),
                c => c.to_string(),
            };
            match text.width() {
                0 => cells.last_mut().unwrap().text.push(c),
                width => {
                    cells.push(Seen::new(&text, self.front, self.back, self.modifier));
                    if width == 2 {
                        cells.push(Seen::new("", self.front, self.back, self.modifier));
                    }
                }
            }
        }
    }

    fn sgr(&mut self, sgr: &str) {
        // The kinds of underline are not told apart here.
        let sgr = sgr.split(';').map(|n| n.split(':').next().unwrap());
        let mut numbers = sgr.map(|n| n.parse::<u8>().unwrap());
        while let Some(number) = numbers.next() {
            match number {
                0 => {
                    *self = Pen {
                        drawing: self.drawing,
                        ..Pen::default()
                    }
                }
                1 => self.modifier |= Modifier::BOLD,
                2 => self.modifier |= Modifier::DIM,
                3 => self.modifier |= Modifier::ITALIC,
                4 => self.modifier |= Modifier::UNDERLINED,
                5 => self.modifier |= Modifier::SLOW_BLINK,
                7 => self.modifier |= Modifier::REVERSED,
                8 => self.modifier |= Modifier::HIDDEN,
                9 => self.modifier |= Modifier::CROSSED_OUT,
                30..=37 => self.front = Color::Indexed(number - 30),
                38 => self.front = colour(&mut numbers),
                39 => self.front = Color::Reset,
                40..=47 => self.back = Color::Indexed(number - 40),
                48 => self.back = colour(&mut numbers),
                49 => self.back = Color::Reset,
                90..=97 => self.front = Color::Indexed(number - 82),
                100..=107 => self.back = Color::Indexed(number - 92),
                other => panic!("{other}"),
            }
        }
    }
}

fn colour(numbers: &mut impl Iterator<Item = u8>) -> Color {
    let mut next = || numbers.next().unwrap();
    match next() {
        5 => Color::Indexed(next()),
        2 => Color::Rgb(next(), next(), next()),
        other => panic!("{other}"),
    }
}
