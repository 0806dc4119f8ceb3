//! Colours and attributes (SGR), written anew in the forms that every terminal reads.

use super::{Csi, digits};

/// What became of the style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing of the sequence is understood; nothing was written.
    Nothing,
    /// The last thing it did was to reset everything.
    Reset,
    Styled,
}

/// Writes a sequence anew with those of its plain codes that `keep` accepts, colours always.
///
/// Colours with colons (`38:2:r:g:b`, ISO's `38:2:space:r:g:b`) become the form with semicolons, underline
/// styles become a plain underline, underline colours (58) go. A colour that is not whole ends the sequence,
/// because what its numbers mean is unknown.
pub(crate) fn write(csi: &Csi, keep: impl Fn(u16) -> bool, out: &mut Vec<u8>) -> Outcome {
    if csi.is_empty() {
        out.extend_from_slice(b"\x1b[m");
        return Outcome::Reset;
    }
    let mut outcome = Outcome::Nothing;
    let mut add = |codes: &[u16]| {
        if outcome == Outcome::Nothing {
            out.extend_from_slice(b"\x1b[");
        } else {
            out.push(b';');
        }
        for (index, code) in codes.iter().enumerate() {
            if index > 0 {
                out.push(b';');
            }
            digits(*code, out);
        }
        outcome = match codes {
            [0] => Outcome::Reset,
            _ => Outcome::Styled,
        };
    };
    let mut groups = csi.groups();
    while let Some(group) = groups.next() {
        match *group {
            [4, 0] => add(&[24]),
            [4, _] => add(&[4]),
            [21] => add(&[4]),
            [layer @ (38 | 48 | 58)] => {
                let mut next = || match groups.next() {
                    Some(&[n]) => Some(n),
                    _ => None,
                };
                let colour = match next() {
                    Some(5) => next().map(|n| [5, n, 0, 0]),
                    Some(2) => match (next(), next(), next()) {
                        (Some(r), Some(g), Some(b)) => Some([2, r, g, b]),
                        _ => None,
                    },
                    _ => None,
                };
                let Some(colour) = colour else { break };
                add_colour(layer, colour, &mut add);
            }
            [layer @ (38 | 48 | 58), 5, n, ..] => add_colour(layer, [5, n, 0, 0], &mut add),
            [layer @ (38 | 48 | 58), 2, r, g, b] | [layer @ (38 | 48 | 58), 2, _, r, g, b, ..] => {
                add_colour(layer, [2, r, g, b], &mut add);
            }
            [code] if keep(code) => add(&[code]),
            _ => {}
        }
    }
    if outcome != Outcome::Nothing {
        out.push(b'm');
    }
    outcome
}

fn add_colour(layer: u16, colour: [u16; 4], add: &mut impl FnMut(&[u16])) {
    if layer == 58 || colour.iter().any(|n| *n > 255) {
        return;
    }
    match colour {
        [5, n, ..] => add(&[layer, 5, n]),
        [_, r, g, b] => add(&[layer, 2, r, g, b]),
    }
}
