//! What is written of a line that is edited when a screen reader listens: only what changed, as it would be typed.
//! A line that is drawn anew at each key would be read out anew.

use unicode_width::UnicodeWidthStr;

/// A line as it stands on the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What stands before it.
    pub prompt: String,
    /// What has been typed.
    pub text: String,
    /// The cursor, as an index of the text.
    pub at: usize,
}

impl Shown {
    /// The bytes that turn the line `before` into this one; `None` when it has to be drawn anew. Without a line
    /// before, the cursor stands in a row of which nothing is known. `cols`: cells of a row.
    pub fn after(&self, before: Option<&Shown>, cols: usize) -> Option<String> {
        // What wraps cannot be written over by going left.
        if self.prompt.width() + self.text.width() >= cols {
            return None;
        }
        let end = self.at == self.text.len();
        let Some(before) = before.filter(|before| before.prompt == self.prompt) else {
            return end.then(|| format!("\r{}{}\x1b[K", self.prompt, self.text));
        };
        if before.text == self.text {
            return self.moved(before.at);
        }
        if !end || before.at != before.text.len() {
            return None;
        }
        if let Some(typed) = self.text.strip_prefix(before.text.as_str()) {
            return Some(typed.to_owned());
        }
        let removed = before.text.strip_prefix(self.text.as_str())?;
        Some(format!("{}\x1b[K", "\x08".repeat(removed.width())))
    }

    /// The bytes that bring the cursor from `from`.
    fn moved(&self, from: usize) -> Option<String> {
        let (left, right) = (from.min(self.at), from.max(self.at));
        let cells = self.text.get(left..right)?.width();
        Some(match cells {
            0 => String::new(),
            _ if from < self.at => format!("\x1b[{cells}C"),
            _ => format!("\x1b[{cells}D"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, at: usize) -> Shown {
        Shown {
            prompt: "> ".into(),
            text: text.into(),
            at,
        }
    }

    #[test]
    fn only_what_changed_is_written() {
        let after = |before: (&str, usize), now: (&str, usize)| {
            line(now.0, now.1).after(Some(&line(before.0, before.1)), 80)
        };
        assert_eq!(after(("li", 2), ("lis", 3)).as_deref(), Some("s"));
        assert_eq!(after(("", 0), ("list", 4)).as_deref(), Some("list"));
        assert_eq!(after(("lis", 3), ("lis", 3)).as_deref(), Some(""));
        assert_eq!(after(("lis", 3), ("li", 2)).as_deref(), Some("\x08\x1b[K"));
        assert_eq!(
            after(("l世", 4), ("l", 1)).as_deref(),
            Some("\x08\x08\x1b[K")
        );
        assert_eq!(after(("lis", 3), ("lis", 0)).as_deref(), Some("\x1b[3D"));
        assert_eq!(after(("lis", 0), ("lis", 1)).as_deref(), Some("\x1b[1C"));
        // In the middle, and another line of the history.
        assert_eq!(after(("lis", 1), ("lxis", 2)), None);
        assert_eq!(after(("list", 4), ("ps", 2)), None);
    }

    #[test]
    fn a_new_row_and_one_that_is_too_short() {
        assert_eq!(
            line("ps", 2).after(None, 80).as_deref(),
            Some("\r> ps\x1b[K")
        );
        assert_eq!(line("ps", 1).after(None, 80), None);
        assert_eq!(line("list", 4).after(Some(&line("lis", 3)), 6), None);
    }
}
