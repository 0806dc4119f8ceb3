//! Colours and attributes of text (SGR): what a stream has asked for, and the sequence that asks for it anew.

/// One colour of the terminal's palettes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Basic(u8),
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// What SGR sequences can ask for. Concealed text (8) and blinking (5, 6) are not among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Style {
    bold: bool,
    faint: bool,
    italic: bool,
    underline: bool,
    reverse: bool,
    strike: bool,
    front: Option<Colour>,
    back: Option<Colour>,
}

impl Style {
    /// Follows an SGR sequence with these parameters.
    pub(super) fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split(';');
        while let Some(code) = codes.next() {
            if code.contains(':') {
                let parts: Vec<Option<u8>> = code.split(':').map(|p| p.parse().ok()).collect();
                let colour = match *parts.as_slice() {
                    [_, Some(5), Some(n)] => Some(Colour::Indexed(n)),
                    [_, Some(2), Some(r), Some(g), Some(b)]
                    | [_, Some(2), _, Some(r), Some(g), Some(b)] => Some(Colour::Rgb(r, g, b)),
                    _ => None,
                };
                match (parts.first(), colour) {
                    (Some(Some(38)), Some(_)) => self.front = colour,
                    (Some(Some(48)), Some(_)) => self.back = colour,
                    (Some(Some(4)), None) => {
                        self.underline = parts.get(1) != Some(&Some(0));
                    }
                    _ => {}
                }
                continue;
            }
            let number = if code.is_empty() {
                Some(0)
            } else {
                code.parse::<u8>().ok()
            };
            let Some(number) = number else { continue };
            match number {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 | 21 => self.underline = true,
                7 => self.reverse = true,
                9 => self.strike = true,
                22 => {
                    self.bold = false;
                    self.faint = false;
                }
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                29 => self.strike = false,
                30..=37 | 90..=97 => self.front = Some(Colour::Basic(number)),
                39 => self.front = None,
                40..=47 | 100..=107 => self.back = Some(Colour::Basic(number)),
                49 => self.back = None,
                38 | 48 => {
                    let mut next = || codes.next().and_then(|p| p.parse::<u8>().ok());
                    let colour = match next() {
                        Some(5) => next().map(Colour::Indexed),
                        Some(2) => match (next(), next(), next()) {
                            (Some(r), Some(g), Some(b)) => Some(Colour::Rgb(r, g, b)),
                            _ => None,
                        },
                        _ => None,
                    };
                    if colour.is_some() {
                        *(if number == 38 {
                            &mut self.front
                        } else {
                            &mut self.back
                        }) = colour;
                    }
                }
                _ => {}
            }
        }
    }

    /// The sequence that leads from any state to this one.
    pub(super) fn sequence(&self) -> String {
        let mut out = String::from("\x1b[0");
        let flags = [
            (self.bold, ";1"),
            (self.faint, ";2"),
            (self.italic, ";3"),
            (self.underline, ";4"),
            (self.reverse, ";7"),
            (self.strike, ";9"),
        ];
        for (on, code) in flags {
            if on {
                out.push_str(code);
            }
        }
        for (colour, extended) in [(self.front, 38), (self.back, 48)] {
            match colour {
                None => {}
                Some(Colour::Basic(n)) => out.push_str(&format!(";{n}")),
                Some(Colour::Indexed(n)) => out.push_str(&format!(";{extended};5;{n}")),
                Some(Colour::Rgb(r, g, b)) => out.push_str(&format!(";{extended};2;{r};{g};{b}")),
            }
        }
        out.push('m');
        out
    }
}
