//! From the size of the screen to the places of panes: the size ladder.
//!
//! | size | what is there |
//! |---|---|
//! | 180x50 and more | sidebar, two columns, a shell beneath |
//! | 110x30 and more | sidebar and a stack |
//! | 80x24 and more | a strip of sessions, and a stack |
//! | 50 columns and 14 rows, or more | a strip, and the pane that has the keyboard |
//! | 20x6 and more | two lines, or the shell |
//! | less | one line |

use ratatui::layout::Rect;

/// A part of the screen that can have the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    /// The sessions, and what the chosen one has.
    Sessions,
    /// The steps.
    Progress,
    /// Bars of time.
    Timeline,
    /// What happened.
    Happened,
    /// The source.
    Dockerfile,
    /// Lines of output.
    Log,
    /// A terminal.
    Shell,
}

impl Pane {
    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Progress => "steps",
            Self::Timeline => "timeline",
            Self::Happened => "what happened",
            Self::Dockerfile => "Dockerfile",
            Self::Log => "log",
            Self::Shell => "shell",
        }
    }
}

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One line.
    Line,
    /// Two lines, or the shell.
    Tiny,
    /// One pane.
    Single,
    /// A stack.
    Stack,
    /// A sidebar and a stack.
    Sidebar,
    /// Three columns and a shell.
    Columns,
}

impl Class {
    /// The class of a size in cells.
    pub fn of(width: u16, height: u16) -> Self {
        match (width, height) {
            (180.., 50..) => Self::Columns,
            (110.., 30..) => Self::Sidebar,
            (80.., 24..) => Self::Stack,
            (50.., 14..) => Self::Single,
            (20.., 6..) => Self::Tiny,
            _ => Self::Line,
        }
    }
}

/// What the layout depends on besides the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The pane that has the keyboard.
    pub focus: Pane,
    /// It has the whole screen.
    pub zoom: bool,
    /// Which of timeline, Dockerfile and what happened is shown where only one fits.
    pub detail: Pane,
    /// There is a shell.
    pub shell: bool,
    /// Steps that could be shown, to give no rows to nothing.
    pub steps: u16,
    /// Rows that a person has given to panes, or taken: of steps, detail and shell.
    pub extra: [i16; 3],
}

/// Where everything is. Places do not overlap; a pane's first row is its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How much fits.
    pub class: Class,
    /// The strip of sessions.
    pub strip: Option<Rect>,
    /// The line about the chosen session.
    pub title: Option<Rect>,
    /// The panes.
    pub panes: Vec<(Pane, Rect)>,
    /// Columns of vertical lines.
    pub rules: Vec<Rect>,
    /// Keys, and questions.
    pub footer: Option<Rect>,
}

impl Layout {
    /// The place of a pane.
    pub fn place(&self, pane: Pane) -> Option<Rect> {
        self.panes
            .iter()
            .find(|(known, _)| *known == pane)
            .map(|(_, place)| *place)
    }

    /// The place of a pane beneath its title.
    pub fn inside(&self, pane: Pane) -> Option<Rect> {
        self.place(pane).map(|place| split_top(place, 1).1)
    }

    /// Which pane a cell belongs to.
    pub fn at(&self, column: u16, row: u16) -> Option<(Pane, Rect)> {
        let inside = |place: &Rect| {
            (place.left()..place.right()).contains(&column)
                && (place.top()..place.bottom()).contains(&row)
        };
        self.panes.iter().find(|(_, place)| inside(place)).copied()
    }

    /// The layout of a screen of this size.
    pub fn new(area: Rect, wanted: Wanted) -> Self {
        let class = Class::of(area.width, area.height);
        let mut layout = Self {
            class,
            strip: None,
            title: None,
            panes: Vec::new(),
            rules: Vec::new(),
            footer: None,
        };
        if class == Class::Line {
            layout.title = Some(Rect {
                height: area.height.min(1),
                ..area
            });
            return layout;
        }
        if class == Class::Tiny {
            let (top, rest) = split_top(area, 1);
            layout.title = Some(top);
            let pane = if wanted.focus == Pane::Shell {
                Pane::Shell
            } else {
                Pane::Log
            };
            layout.panes.push((pane, rest));
            return layout;
        }
        let (rest, footer) = split_bottom(area, 1);
        layout.footer = Some(footer);
        if wanted.zoom || class == Class::Single {
            let rest = layout.bars(rest, class == Class::Single);
            layout.panes.push((wanted.focus, rest));
            return layout;
        }
        match class {
            Class::Stack => {
                let rest = layout.bars(rest, true);
                layout.stack(rest, wanted, false);
            }
            Class::Sidebar => {
                let rest = layout.sidebar(rest, 27);
                let rest = layout.bars(rest, false);
                layout.stack(rest, wanted, true);
            }
            _ => layout.columns(rest, wanted),
        }
        layout
    }

    /// Strip and title line.
    fn bars(&mut self, area: Rect, strip: bool) -> Rect {
        let mut rest = area;
        if strip {
            let (top, below) = split_top(rest, 1);
            self.strip = Some(top);
            rest = below;
        }
        let (top, below) = split_top(rest, 1);
        self.title = Some(top);
        below
    }

    fn sidebar(&mut self, area: Rect, width: u16) -> Rect {
        let (left, rest) = split_left(area, width);
        self.panes.push((Pane::Sessions, left));
        let (rule, rest) = split_left(rest, 1);
        self.rules.push(rule);
        rest
    }

    /// Steps, detail, log and shell above each other.
    fn stack(&mut self, area: Rect, wanted: Wanted, roomy: bool) {
        let rows = area.height;
        let [more_steps, more_detail, more_shell] = wanted.extra;
        // The card of a failure says what the log says and more, so it has rows of the log's, of steps that did not
        // fail, and of a shell that has the keyboard.
        let card = roomy && wanted.detail == Pane::Happened;
        let shell = match (wanted.shell, wanted.focus) {
            (true, Pane::Shell) if !card => {
                adjust(rows / 2, more_shell, 4, rows.saturating_sub(10))
            }
            (true, _) => adjust(rows * 2 / 5, more_shell, 4, rows.saturating_sub(10)),
            (false, _) => 0,
        };
        let above = rows - shell;
        let steps = adjust(
            match card && shell > 0 {
                true => above / 4,
                false => above * 2 / 5,
            },
            more_steps,
            3,
            above.saturating_sub(if roomy { 6 } else { 4 }),
        );
        let steps = steps.min(wanted.steps.max(3).saturating_add(1));
        let detail_wanted = matches!(
            wanted.focus,
            Pane::Timeline | Pane::Happened | Pane::Dockerfile | Pane::Sessions
        );
        let left = above - steps;
        let (top, rest) = split_top(area, steps);
        self.panes.push((Pane::Progress, top));
        let rest = if roomy {
            let share = if card { 3 } else { 2 };
            let detail = adjust(left * share / 5, more_detail, 3, left.saturating_sub(3));
            let (middle, rest) = split_top(rest, detail);
            self.panes.push((wanted.detail, middle));
            rest
        } else if detail_wanted {
            // One place for both: what was asked for.
            let (middle, rest) = split_top(rest, left);
            let pane = if wanted.focus == Pane::Sessions {
                Pane::Sessions
            } else {
                wanted.detail
            };
            self.panes.push((pane, middle));
            if shell > 0 {
                self.panes.push((Pane::Shell, rest));
            }
            return;
        } else {
            rest
        };
        let (rest, bottom) = split_bottom(rest, shell);
        self.panes.push((Pane::Log, rest));
        if shell > 0 {
            self.panes.push((Pane::Shell, bottom));
        }
    }

    fn columns(&mut self, area: Rect, wanted: Wanted) {
        let rest = self.sidebar(area, 30);
        let [more_steps, more_detail, more_shell] = wanted.extra;
        let rows = rest.height;
        let shell = match (wanted.shell, wanted.focus) {
            (true, Pane::Shell) => adjust(rows / 2, more_shell, 4, rows.saturating_sub(16)),
            (true, _) => adjust(rows * 2 / 5, more_shell, 4, rows.saturating_sub(16)),
            (false, _) => 0,
        };
        let (above, below) = split_bottom(rest, shell);
        let above = self.bars(above, false);
        if shell > 0 {
            self.panes.push((Pane::Shell, below));
        }
        let right = above.width * 2 / 5;
        let (middle, rest) = split_left(above, above.width - right - 1);
        let (rule, right) = split_left(rest, 1);
        self.rules.push(rule);
        let left = middle.height;
        let steps = adjust(left * 2 / 5, more_steps, 3, left.saturating_sub(8));
        let steps = steps.min(wanted.steps.max(3).saturating_add(1));
        let (top, rest) = split_top(middle, steps);
        self.panes.push((Pane::Progress, top));
        let (bars, log) = split_top(
            rest,
            adjust(rest.height / 3, 0, 3, rest.height.saturating_sub(3))
                .min(wanted.steps.max(3).saturating_add(2)),
        );
        self.panes.push((Pane::Timeline, bars));
        self.panes.push((Pane::Log, log));
        let happened = adjust(
            right.height * 2 / 5,
            more_detail,
            4,
            right.height.saturating_sub(4),
        );
        let (top, bottom) = split_top(right, happened);
        self.panes.push((Pane::Happened, top));
        self.panes.push((Pane::Dockerfile, bottom));
    }
}

fn adjust(rows: u16, extra: i16, least: u16, most: u16) -> u16 {
    rows.saturating_add_signed(extra)
        .clamp(least.min(most), most)
}

fn split_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let top = Rect {
        height: rows,
        ..area
    };
    let rest = Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    };
    (top, rest)
}

fn split_bottom(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    split_top(area, area.height - rows)
}

fn split_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    let left = Rect {
        width: columns,
        ..area
    };
    let rest = Rect {
        x: area.x + columns,
        width: area.width - columns,
        ..area
    };
    (left, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Pane; 7] = [
        Pane::Sessions,
        Pane::Progress,
        Pane::Timeline,
        Pane::Happened,
        Pane::Dockerfile,
        Pane::Log,
        Pane::Shell,
    ];

    fn every(check: impl Fn(Rect, Wanted, &Layout)) {
        for (width, height) in [
            (1, 1),
            (19, 5),
            (20, 6),
            (49, 13),
            (50, 14),
            (79, 23),
            (80, 24),
            (110, 30),
            (120, 40),
            (180, 50),
            (200, 60),
            (500, 200),
        ] {
            for focus in ALL {
                for bits in 0..8_u8 {
                    let area = Rect::new(0, 0, width, height);
                    let detail = match focus {
                        Pane::Timeline | Pane::Happened | Pane::Dockerfile => focus,
                        _ => Pane::Dockerfile,
                    };
                    let shell = bits & 2 != 0 || focus == Pane::Shell;
                    let extra = if bits & 4 != 0 { [90, -90, 90] } else { [0; 3] };
                    let wanted = Wanted {
                        focus,
                        zoom: bits & 1 != 0,
                        detail,
                        shell,
                        steps: 12,
                        extra,
                    };
                    check(area, wanted, &Layout::new(area, wanted));
                }
            }
        }
    }

    #[test]
    fn places_are_inside_and_apart() {
        every(|area, wanted, layout| {
            let mut owner = vec![0_u8; usize::from(area.width) * usize::from(area.height)];
            let bars = [layout.strip, layout.title, layout.footer]
                .into_iter()
                .flatten();
            let panes = layout.panes.iter().map(|(_, place)| *place);
            for place in bars.chain(panes).chain(layout.rules.iter().copied()) {
                assert_eq!(place.intersection(area), place, "{wanted:?} {layout:?}");
                for row in place.top()..place.bottom() {
                    for column in place.left()..place.right() {
                        let cell = &mut owner
                            [usize::from(row) * usize::from(area.width) + usize::from(column)];
                        assert_eq!(*cell, 0, "{column},{row}: {wanted:?} {layout:?}");
                        *cell = 1;
                    }
                }
            }
        });
    }

    #[test]
    fn the_pane_with_the_keyboard_is_there() {
        every(|_, wanted, layout| {
            if layout.class >= Class::Single {
                let place = layout.place(wanted.focus);
                assert!(
                    place.is_some_and(|place| place.height >= 3),
                    "{wanted:?} {layout:?}"
                );
            }
        });
    }

    #[test]
    fn a_card_and_a_shell_both_have_room() {
        for focus in [Pane::Shell, Pane::Progress] {
            let wanted = Wanted {
                focus,
                zoom: false,
                detail: Pane::Happened,
                shell: true,
                steps: 30,
                extra: [0; 3],
            };
            let layout = Layout::new(Rect::new(0, 0, 120, 40), wanted);
            let rows = |pane| layout.inside(pane).map(|place| place.height);
            assert!(rows(Pane::Shell) >= Some(12), "{layout:?}");
            assert!(rows(Pane::Happened) >= Some(9), "{layout:?}");
            assert!(rows(Pane::Log) >= Some(5), "{layout:?}");
            assert!(rows(Pane::Progress) >= Some(4), "{layout:?}");
        }
    }
}
