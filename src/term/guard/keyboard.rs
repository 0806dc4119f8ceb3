//! The flags of the kitty keyboard protocol (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>), one stack
//! for each of the two screens.

use crate::term::sequence::Csi;

/// Depth of a stack; the oldest entry goes first.
const MAX_DEPTH: usize = 32;

/// All flags that the protocol knows.
const FLAGS: u16 = 0b1_1111;

#[derive(Debug, Clone, Default)]
struct Stack {
    current: u16,
    below: Vec<u16>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Keyboard {
    main: Stack,
    alternate: Stack,
}

impl Keyboard {
    pub(super) fn flags(&self, alternate: bool) -> u16 {
        self.stack(alternate).current
    }

    fn stack(&self, alternate: bool) -> &Stack {
        if alternate {
            &self.alternate
        } else {
            &self.main
        }
    }

    /// Obeys a sequence that ends with `u` and has a private byte other than `?`.
    pub(super) fn obey(&mut self, csi: &Csi, alternate: bool) {
        let stack = if alternate {
            &mut self.alternate
        } else {
            &mut self.main
        };
        let flags = csi.value(0) & FLAGS;
        match csi.private {
            Some(b'>') => {
                if stack.below.len() == MAX_DEPTH {
                    stack.below.remove(0);
                }
                stack.below.push(stack.current);
                stack.current = flags;
            }
            Some(b'<') => {
                for _ in 0..csi.value(0).clamp(1, MAX_DEPTH as u16 + 1) {
                    stack.current = stack.below.pop().unwrap_or(0);
                }
            }
            Some(b'=') => {
                stack.current = match csi.value(1) {
                    0 | 1 => flags,
                    2 => stack.current | flags,
                    3 => stack.current & !flags,
                    _ => stack.current,
                };
            }
            _ => {}
        }
    }

    /// The bytes that lead from no flags to the stack of one screen.
    pub(super) fn write(&self, alternate: bool, out: &mut Vec<u8>) {
        let stack = self.stack(alternate);
        let mut entries = stack.below.iter().chain([&stack.current]);
        if let Some(first) = entries.next()
            && *first != 0
        {
            out.extend(format!("\x1b[={first}u").bytes());
        }
        for entry in entries {
            out.extend(format!("\x1b[>{entry}u").bytes());
        }
    }
}
