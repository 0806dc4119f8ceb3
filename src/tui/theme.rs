//! Roles → looks: colours of the terminal's own palette, attributes, and the glyphs that say the same without them.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important text.
    Dim,
    /// What catches the eye: names, numbers of sessions.
    Accent,
    /// It went well.
    Ok,
    /// It may be wrong.
    Warn,
    /// It is wrong.
    Error,
    /// It runs.
    Running,
    /// It was there already.
    Cached,
    /// The row that keys mean, in the pane that has the keyboard.
    Selected,
    /// The same in another pane.
    Marked,
    /// Lines between panes.
    Border,
    /// Lines of the pane that has the keyboard.
    BorderFocus,
    /// The bars above and beneath.
    Bar,
    /// A key in the footer.
    Key,
    /// What a search has found.
    Match,
    /// The match that the cursor is at.
    MatchHere,
    /// A Dockerfile's instruction.
    Keyword,
    /// A Dockerfile's string.
    Literal,
    /// A variable.
    Variable,
    /// A comment.
    Comment,
}

impl Role {
    /// Every role with its name in the configuration.
    pub const ALL: &'static [(&'static str, Role)] = &[
        ("text", Role::Text),
        ("dim", Role::Dim),
        ("accent", Role::Accent),
        ("ok", Role::Ok),
        ("warn", Role::Warn),
        ("error", Role::Error),
        ("running", Role::Running),
        ("cached", Role::Cached),
        ("selected", Role::Selected),
        ("marked", Role::Marked),
        ("border", Role::Border),
        ("border-focus", Role::BorderFocus),
        ("bar", Role::Bar),
        ("key", Role::Key),
        ("match", Role::Match),
        ("match-here", Role::MatchHere),
        ("keyword", Role::Keyword),
        ("literal", Role::Literal),
        ("variable", Role::Variable),
        ("comment", Role::Comment),
    ];
}

/// The state of a step, a session or a build, for glyph and word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It went well.
    Ok,
    /// It failed.
    Failed,
    /// It runs.
    Running,
    /// It was there already.
    Cached,
    /// Somebody or something stopped it.
    Canceled,
    /// It has not begun.
    Waiting,
    /// It can be brought back.
    Recoverable,
    /// Something to know.
    Warning,
}

impl Mark {
    /// Its looks.
    pub fn role(self) -> Role {
        match self {
            Self::Ok => Role::Ok,
            Self::Failed => Role::Error,
            Self::Running => Role::Running,
            Self::Cached => Role::Cached,
            Self::Canceled | Self::Warning | Self::Recoverable => Role::Warn,
            Self::Waiting => Role::Dim,
        }
    }
}

/// How things look on this terminal.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Only ASCII characters.
    pub ascii: bool,
    /// With colours; else with attributes only.
    pub colour: bool,
    changes: Vec<(Role, Style)>,
}

impl Theme {
    /// The looks of a terminal; `changes` come from the configuration.
    pub fn new(ascii: bool, colour: bool, changes: Vec<(Role, Style)>) -> Self {
        Self {
            ascii,
            colour,
            changes,
        }
    }

    /// The style of a role: one of the 16 colours of the palette at most, so light and dark terminals both can be
    /// read; without colour, attributes that tell the same.
    pub fn style(&self, role: Role) -> Style {
        let changed = self.changes.iter().find(|(changed, _)| *changed == role);
        if let Some((_, style)) = changed.filter(|_| self.colour) {
            return *style;
        }
        let plain = Style::new();
        let attributes = match role {
            Role::Accent | Role::Key | Role::Keyword | Role::BorderFocus => {
                plain.add_modifier(Modifier::BOLD)
            }
            Role::Error => plain.add_modifier(Modifier::BOLD),
            Role::Selected | Role::Bar | Role::MatchHere => plain.add_modifier(Modifier::REVERSED),
            Role::Marked => plain.add_modifier(Modifier::BOLD),
            Role::Match => plain.add_modifier(Modifier::UNDERLINED),
            _ => plain,
        };
        if !self.colour {
            return attributes;
        }
        match role {
            Role::Text | Role::Selected | Role::Bar => attributes,
            Role::Dim | Role::Border | Role::Comment => attributes.fg(Color::DarkGray),
            Role::Accent | Role::Key | Role::BorderFocus => attributes.fg(Color::Cyan),
            Role::Ok | Role::Literal => attributes.fg(Color::Green),
            Role::Warn => attributes.fg(Color::Yellow),
            Role::Error => attributes.fg(Color::Red),
            Role::Running | Role::Keyword => attributes.fg(Color::Blue),
            Role::Cached | Role::Variable => attributes.fg(Color::Magenta),
            Role::Marked => attributes,
            Role::Match => plain.fg(Color::Black).bg(Color::Yellow),
            Role::MatchHere => plain
                .fg(Color::Black)
                .bg(Color::Yellow)
                .add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// One cell that tells a state.
    pub fn glyph(&self, mark: Mark) -> &'static str {
        match (mark, self.ascii) {
            (Mark::Ok, false) => "✓",
            (Mark::Ok, true) => "v",
            (Mark::Failed, false) => "✗",
            (Mark::Failed, true) => "!",
            (Mark::Running, false) => "●",
            (Mark::Running, true) => "#",
            (Mark::Cached, false) => "○",
            (Mark::Cached, true) => "o",
            (Mark::Canceled, false) => "⊘",
            (Mark::Canceled, true) => "x",
            (Mark::Waiting, false) => "·",
            (Mark::Waiting, true) => ".",
            (Mark::Recoverable, false) => "↺",
            (Mark::Recoverable, true) => "z",
            (Mark::Warning, _) => "W",
        }
    }

    /// The cell of a horizontal line.
    pub fn horizontal(&self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }

    /// The cell of a vertical line.
    pub fn vertical(&self) -> &'static str {
        if self.ascii { "|" } else { "│" }
    }

    /// The cell in front of what is selected.
    pub fn pointer(&self) -> &'static str {
        if self.ascii { ">" } else { "▸" }
    }

    /// What stands for text that has no room.
    pub fn ellipsis(&self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// A full cell of a bar.
    pub fn bar(&self) -> &'static str {
        if self.ascii { "#" } else { "█" }
    }

    /// A cell of a bar that matters less than a full one.
    pub fn thin(&self) -> &'static str {
        if self.ascii { "-" } else { "▄" }
    }

    /// The end of a bar that goes on.
    pub fn onward(&self) -> &'static str {
        if self.ascii { ">" } else { "▶" }
    }

    /// An empty cell of a bar.
    pub fn track(&self) -> &'static str {
        if self.ascii { "." } else { "░" }
    }

    /// A hatched cell of a bar.
    pub fn hatch(&self) -> &'static str {
        if self.ascii { "=" } else { "▒" }
    }
}

/// Reads a style as the configuration has it: a colour's name and attributes, such as `bright-red bold on black`.
///
/// # Errors
/// One line.
pub fn parse_style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut background = false;
    for word in text.split_whitespace() {
        let attribute = match word {
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underline" => Some(Modifier::UNDERLINED),
            "reverse" => Some(Modifier::REVERSED),
            _ => None,
        };
        if let Some(attribute) = attribute {
            style = style.add_modifier(attribute);
        } else if word == "on" {
            background = true;
        } else {
            let colour = colour(word).ok_or_else(|| {
                format!(
                    "unknown colour {word:?}; colours are black, red, green, yellow, blue, magenta, cyan, white, each with bright- before it, default, a number up to 255 or #rrggbb"
                )
            })?;
            style = if background {
                style.bg(colour)
            } else {
                style.fg(colour)
            };
            background = false;
        }
    }
    Ok(style)
}

fn colour(word: &str) -> Option<Color> {
    Some(match word {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        word => match word.strip_prefix('#') {
            Some(hex) if hex.len() == 6 => {
                let number = u32::from_str_radix(hex, 16).ok()?;
                let [_, red, green, blue] = number.to_be_bytes();
                Color::Rgb(red, green, blue)
            }
            Some(_) => return None,
            None => Color::Indexed(word.parse().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_read() {
        let style = Style::new();
        for (text, expected) in [
            ("red", Ok(style.fg(Color::Red))),
            (
                "bright-red bold on black",
                Ok(style
                    .fg(Color::LightRed)
                    .bg(Color::Black)
                    .add_modifier(Modifier::BOLD)),
            ),
            (
                "214 reverse",
                Ok(style
                    .fg(Color::Indexed(214))
                    .add_modifier(Modifier::REVERSED)),
            ),
            ("#102030", Ok(style.fg(Color::Rgb(16, 32, 48)))),
            ("", Ok(style)),
        ] {
            assert_eq!(parse_style(text), expected, "{text}");
        }
        for text in ["pink", "#12", "#gggggg", "256", "é"] {
            assert!(parse_style(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_colour_there_is_none() {
        let theme = Theme::new(
            true,
            false,
            vec![(Role::Error, Style::new().fg(Color::Red))],
        );
        for (name, role) in Role::ALL {
            let style = theme.style(*role);
            assert_eq!((style.fg, style.bg), (None, None), "{name}");
        }
    }
}
