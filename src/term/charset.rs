//! The character set of line drawing (DEC special graphics), translated to Unicode.
//!
//! Programs without a UTF-8 locale draw their lines with it: `ESC ( 0`, then `lqqk`.

/// Which sets are designated (G0, G1) and which of the two is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Charsets {
    /// Whether G0 and G1 are line drawing.
    graphics: [bool; 2],
    /// SO was the last shift: G1 is in use.
    shifted: bool,
}

impl Charsets {
    /// Whether text means line drawing now.
    pub(crate) fn drawing(&self) -> bool {
        let [g0, g1] = self.graphics;
        if self.shifted { g1 } else { g0 }
    }

    /// SO (true) or SI.
    pub(crate) fn shift(&mut self, out: bool) {
        self.shifted = out;
    }

    /// A designating escape sequence. False if it is none.
    pub(crate) fn designate(&mut self, intermediate: Option<u8>, set: u8) -> bool {
        let [g0, g1] = &mut self.graphics;
        match intermediate {
            Some(b'(') => *g0 = set == b'0',
            Some(b')') => *g1 = set == b'0',
            _ => return false,
        }
        true
    }

    /// The bytes that lead from the default to this state.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let [g0, g1] = self.graphics;
        if g0 {
            out.extend(b"\x1b(0");
        }
        if g1 {
            out.extend(b"\x1b)0");
        }
        if self.shifted {
            out.push(0x0e);
        }
    }

    /// The bytes that lead from this state to the default.
    pub(crate) fn write_reset(&self, out: &mut Vec<u8>) {
        if *self != Charsets::default() {
            out.extend(b"\x1b(B\x1b)B\x0f");
        }
    }

    /// The character that is meant by one of a text.
    pub(crate) fn translate(&self, c: char) -> char {
        if !self.drawing() {
            return c;
        }
        let index = (c as usize).wrapping_sub('_' as usize);
        DRAWING.get(index).copied().unwrap_or(c)
    }
}

/// From `_` to `~`.
const DRAWING: [char; 32] = [
    ' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─',
    '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_only_while_the_set_is_in_use() {
        let mut sets = Charsets::default();
        assert_eq!(sets.translate('q'), 'q');
        assert!(sets.designate(Some(b')'), b'0'));
        assert_eq!(sets.translate('q'), 'q');
        sets.shift(true);
        let drawn: String = "lqk_`~Aé".chars().map(|c| sets.translate(c)).collect();
        assert_eq!(drawn, "┌─┐ ◆·Aé");
        sets.shift(false);
        assert_eq!(sets.translate('q'), 'q');
        assert!(!sets.designate(Some(b'#'), b'8'));
    }
}
