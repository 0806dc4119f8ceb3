//! The mouse: a click gives the keyboard, the wheel scrolls what is under it, a drag selects or moves a border.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::layer::Layer;
use super::super::layout::Pane;
use super::super::msg::Effect;
use super::super::pane;
use super::super::shell::Mouse;
use super::App;

/// Two clicks in this time are one double click, in milliseconds.
const DOUBLE: i64 = 400;

/// Lines that the wheel scrolls what is in front of the panes.
const LINES: usize = 3;

/// What the mouse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drag {
    /// The upper border of a pane, last seen in this row.
    Border(Pane, u16),
    /// What is in a pane.
    Inside(Pane),
}

impl App {
    pub(super) fn on_mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        if let Some(Layer::Edit(state)) = &mut self.layer {
            state.mouse(self.size, event);
            return Vec::new();
        }
        if let Some(layer) = &self.layer {
            let code = match event.kind {
                MouseEventKind::ScrollDown => KeyCode::Down,
                MouseEventKind::ScrollUp => KeyCode::Up,
                _ => return Vec::new(),
            };
            if !layer.scrolls() {
                return Vec::new();
            }
            let key = App::press(code, KeyModifiers::NONE);
            return (0..LINES).flat_map(|_| self.key(key)).collect();
        }
        if matches!(event.kind, MouseEventKind::Down(_)) {
            self.hint = false;
        }
        if !matches!(event.kind, MouseEventKind::Drag(_)) {
            self.edge = None;
        }
        let layout = self.layout();
        if let Some(strip) = layout.strip
            && event.row == strip.y
        {
            return match event.kind {
                MouseEventKind::Down(MouseButton::Left) => self.click_strip(strip, event.column),
                _ => Vec::new(),
            };
        }
        let under = layout.at(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let Some((pane, place)) = under else {
                    return Vec::new();
                };
                if event.row == place.y && pane != Pane::Sessions {
                    self.drag = Some(Drag::Border(pane, event.row));
                } else {
                    self.drag = Some(Drag::Inside(pane));
                }
                let twice = self.click.take().is_some_and(|(column, row, at)| {
                    (column, row) == (event.column, event.row) && self.now - at <= DOUBLE
                });
                if !twice {
                    self.click = Some((event.column, event.row, self.now));
                }
                // Before the focus changes the places of rows.
                let effects = self.inside(pane, place, event, twice);
                if !twice {
                    self.focus_on(pane);
                } else if event.row == place.y {
                    self.zoom = !self.zoom;
                }
                effects
            }
            MouseEventKind::Drag(MouseButton::Left) => match self.drag {
                Some(Drag::Border(pane, row)) => {
                    self.drag = Some(Drag::Border(pane, event.row));
                    self.move_border(pane, row, event.row);
                    Vec::new()
                }
                Some(Drag::Inside(pane)) => match layout.place(pane) {
                    Some(place) => {
                        let effects = self.inside(pane, place, event, false);
                        self.beyond(pane, place, event);
                        effects
                    }
                    None => Vec::new(),
                },
                None => Vec::new(),
            },
            MouseEventKind::Up(MouseButton::Left) => match self.drag.take() {
                Some(Drag::Inside(pane)) => match layout.place(pane) {
                    Some(place) => self.inside(pane, place, event, false),
                    None => Vec::new(),
                },
                _ => Vec::new(),
            },
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => match under {
                Some((Pane::Shell, place)) => self.inside(Pane::Shell, place, event, false),
                Some((pane, _)) => {
                    let down = event.kind == MouseEventKind::ScrollDown;
                    let action = if down { Action::Down } else { Action::Up };
                    self.act_on(pane, action, 3)
                }
                None => Vec::new(),
            },
            // Other buttons and moves are a program's, if they are anybody's.
            _ => match under {
                Some((Pane::Shell, place)) if self.focus == Pane::Shell => {
                    self.inside(Pane::Shell, place, event, false)
                }
                Some((pane, place)) if event.kind == MouseEventKind::Down(MouseButton::Right) => {
                    self.list_actions(pane, place, event)
                }
                _ => Vec::new(),
            },
        }
    }

    /// What can be done with what is under the mouse, which is chosen first.
    fn list_actions(&mut self, pane: Pane, place: Rect, event: MouseEvent) -> Vec<Effect> {
        let mut effects = Vec::new();
        // Where a press begins a selection, there is nothing to choose.
        if !matches!(pane, Pane::Log | Pane::Happened | Pane::Shell) {
            effects = self.inside(pane, place, event, false);
        }
        self.focus_on(pane);
        effects.extend(self.act(Action::Palette));
        effects
    }

    /// A selection is dragged: what is behind a border may have to come into sight.
    fn beyond(&mut self, pane: Pane, place: Rect, event: MouseEvent) {
        let selects = match pane {
            Pane::Shell => self.shell().is_some_and(|shell| shell.copy.is_some()),
            Pane::Log | Pane::Happened => true,
            _ => false,
        };
        if selects {
            let column = event.column.max(place.x) - place.x;
            self.hold_at_edge(pane, place, event.row, column);
        }
    }

    /// A mouse event in a pane, beneath its title or dragged out of it.
    fn inside(&mut self, pane: Pane, place: Rect, event: MouseEvent, twice: bool) -> Vec<Effect> {
        let top = place.y + 1;
        let row = event.row.clamp(top, place.bottom().max(top + 1) - 1) - top;
        let column = event
            .column
            .clamp(place.x, place.right().max(place.x + 1) - 1)
            - place.x;
        if pane == Pane::Shell {
            if event.row < top && !matches!(event.kind, MouseEventKind::Drag(_)) {
                return Vec::new();
            }
            let event = MouseEvent {
                row,
                column,
                ..event
            };
            let Some(shell) = self.shell_mut() else {
                return Vec::new();
            };
            let tab = shell.tab;
            let room = (place.height.saturating_sub(1), place.width);
            return match shell.mouse(&event, room) {
                Mouse::Type(bytes) if bytes.is_empty() => Vec::new(),
                Mouse::Type(bytes) => vec![Effect::Input(tab, bytes.into())],
                Mouse::Copy(text) => self.copied(text),
                Mouse::Draw => Vec::new(),
            };
        }
        let down = matches!(event.kind, MouseEventKind::Down(_));
        if matches!(pane, Pane::Log | Pane::Happened) && !twice && !(down && event.row < top) {
            return self.mark(pane, event, row);
        }
        if event.row < top {
            return Vec::new();
        }
        if down && !twice {
            return self.click(pane, place.height.saturating_sub(1), row);
        }
        if twice {
            return self.act_on(pane, Action::Open, 1);
        }
        Vec::new()
    }

    /// A click into a row of a pane, from 0 beneath its title; the pane has so many.
    fn click(&mut self, pane: Pane, rows: u16, row: u16) -> Vec<Effect> {
        if pane == Pane::Sessions {
            return self.click_session(row);
        }
        if let Some(view) = self.view_mut() {
            match pane {
                Pane::Progress => pane::progress::click(view, rows, row),
                Pane::Timeline => pane::timeline::click(view, rows, row),
                Pane::Dockerfile => pane::dockerfile::click(view, rows, row),
                _ => false,
            };
        }
        Vec::new()
    }

    /// A click marks a line of the log or of what happened, a drag several; these are copied when the button is let go.
    fn mark(&mut self, pane: Pane, event: MouseEvent, row: u16) -> Vec<Effect> {
        let Some(view) = self.view_mut() else {
            return Vec::new();
        };
        view.touched = true;
        let log = pane == Pane::Log;
        let extend = match event.kind {
            MouseEventKind::Down(_) => false,
            MouseEventKind::Drag(_) => true,
            MouseEventKind::Up(_) if log && view.log.marks_several() => {
                let text = view.log.copied(&view.build);
                return self.copied(text);
            }
            MouseEventKind::Up(_) if !log && view.happened.marks_several() => {
                let text = view.happened.copied();
                return self.copied(text);
            }
            _ => return Vec::new(),
        };
        match log {
            true => view.log.mark(&view.build, row, extend),
            false => view.happened.mark(row, extend),
        }
        Vec::new()
    }

    fn click_strip(&mut self, strip: Rect, column: u16) -> Vec<Effect> {
        let found = super::super::draw::tabs(self, strip)
            .into_iter()
            .find(|(columns, _)| columns.contains(&column))
            .map(|(_, index)| index);
        match found.and_then(|index| self.order.get(index).cloned()) {
            Some(id) => self.choose(&id),
            None => Vec::new(),
        }
    }

    /// The border above a pane moves: the pane gets what the one above loses.
    fn move_border(&mut self, pane: Pane, from: u16, to: u16) {
        let by = i16::try_from(i32::from(from) - i32::from(to)).unwrap_or(0);
        let (at, by) = match pane {
            Pane::Shell => (2, by),
            Pane::Timeline | Pane::Happened | Pane::Dockerfile => (0, -by),
            Pane::Log => (1, -by),
            Pane::Sessions | Pane::Progress => return,
        };
        if let Some(extra) = self.extra.get_mut(at) {
            *extra = (*extra + by).clamp(-200, 200);
        }
    }

    /// An action for a pane that may not have the keyboard.
    fn act_on(&mut self, pane: Pane, action: Action, times: usize) -> Vec<Effect> {
        let focus = std::mem::replace(&mut self.focus, pane);
        let effects = (0..times).flat_map(|_| self.act(action)).collect();
        // What was opened keeps the keyboard.
        if self.focus == pane && action != Action::Open {
            self.focus = focus;
        }
        effects
    }
}
