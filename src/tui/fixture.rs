//! Builds, sessions and screens by hand, for tests of what is drawn: everything goes the way that it goes in life, as
//! messages to [`App::update`]. Times are seconds since [`BEGAN`]; the engine's clock is ours.
//!
//! ```ignore
//! let mut app = Screen::new(80, 24).app();
//! Script::new("web")
//!     .dockerfile("FROM busybox\nRUN make\n")
//!     .step(step("[build 1/2] FROM busybox").cached().line(1))
//!     .step(step("[build 2/2] RUN make").after(&["[build 1/2]"]).line(2).ran(0.1, 18.2).exit(2).log(&["no rule"]))
//!     .failed("[build 2/2]")
//!     .tell(&mut app, 41.3);
//! insta::assert_snapshot!(screen(&app));
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::app::{App, Setup};
use super::draw::draw_into;
use super::keymap::{Key, Keymap};
use super::layout::Pane;
use super::msg::Msg;
use super::pane::Look;
use super::theme::Theme;
use crate::proto::controller::InfoResponse;

pub mod samples;
mod script;
mod steps;

pub use script::Script;
pub use steps::{BEGAN, Scripted, at, digest, step};

/// A screen without sessions, to be described.
#[derive(Clone, Debug)]
pub struct Screen {
    size: (u16, u16),
    ascii: bool,
    colour: bool,
}

impl Screen {
    /// Of this many columns and rows; UTF-8 and colours.
    pub fn new(columns: u16, rows: u16) -> Self {
        Self {
            size: (columns, rows),
            ascii: false,
            colour: true,
        }
    }

    /// ASCII only, without colour.
    pub fn ascii(mut self) -> Self {
        self.ascii = true;
        self.colour = false;
        self
    }

    /// The app, connected, with no session.
    pub fn app(self) -> App {
        let theme = Theme::new(self.ascii, self.colour, Vec::new());
        let setup = Setup::new(keymap(), theme);
        let mut app = App::new(setup, self.size, BEGAN);
        let info = InfoResponse {
            features: vec!["log".to_owned()],
            ..InfoResponse::default()
        };
        app.update(BEGAN, Msg::Connected(Box::new(info)));
        app.update(BEGAN, Msg::AllSessions);
        app
    }
}

/// The keys as they are without a configuration.
pub fn keymap() -> Keymap {
    let prefix = Key::parse("ctrl-a").expect("a key");
    Keymap::new(prefix, &BTreeMap::new()).expect("no changes")
}

/// The whole screen as text.
pub fn screen(app: &App) -> String {
    text(&screen_buffer(app))
}

/// The whole screen as cells.
pub fn screen_buffer(app: &App) -> Buffer {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buf = Buffer::empty(area);
    draw_into(app, area, &mut buf);
    buf
}

/// What draws into a place of this size with the looks of the app; `focused`: it has the keyboard.
pub fn pane(
    app: &App,
    (columns, rows): (u16, u16),
    focused: bool,
    draw: impl FnOnce(Rect, &mut Buffer, &Look),
) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    let look = Look {
        theme: &app.setup.theme,
        keymap: &app.setup.keymap,
        focused,
        now: app.now,
        zone: &app.setup.zone,
    };
    draw(area, &mut buf, &look);
    buf
}

/// The rows of a buffer, without spaces at their ends, each behind a `|` so that the left border is seen.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let row: String = (buf.area.left()..buf.area.right())
            .filter_map(|x| buf.cell((x, y)))
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        let _ = writeln!(out, "|{}", row.trim_end());
    }
    out
}

/// As [`text`], and beneath each row the runs of cells that do not look plain: `   3..8 red bold`.
pub fn styled(buf: &Buffer) -> String {
    let mut out = String::new();
    for (y, row) in (buf.area.top()..buf.area.bottom()).zip(text(buf).lines()) {
        let _ = writeln!(out, "{row}");
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in buf.area.left()..buf.area.right() {
            let Some(cell) = buf.cell((x, y)) else {
                continue;
            };
            let looks = looks(cell);
            match runs.last_mut() {
                Some((_, end, known)) if *known == looks => *end = x + 1,
                _ => runs.push((x, x + 1, looks)),
            }
        }
        for (from, to, looks) in runs.into_iter().filter(|(.., looks)| !looks.is_empty()) {
            let _ = writeln!(out, "    {from}..{to} {looks}");
        }
    }
    out
}

fn looks(cell: &ratatui::buffer::Cell) -> String {
    let mut words = Vec::new();
    // Colour and light attributes cannot be seen on a space.
    let blank = cell.symbol().trim().is_empty();
    if cell.fg != Color::Reset && !blank {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {:?}", cell.bg).to_lowercase());
    }
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        let seen = matches!(modifier, Modifier::REVERSED | Modifier::UNDERLINED) || !blank;
        if cell.modifier.contains(modifier) && seen {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// The place of a pane beneath its title, on the screen of the app.
pub fn inside(app: &App, pane: Pane) -> Rect {
    app.layout().inside(pane).expect("the pane is shown")
}

#[cfg(test)]
mod tests {
    use super::super::msg::Effect;
    use super::*;

    #[test]
    fn a_script_is_told_as_a_server_would() {
        let mut app = Screen::new(80, 24).app();
        let script = Script::new("web")
            .dockerfile("FROM busybox\nRUN make\n")
            .step(step("[1/2] FROM busybox").cached().line(1))
            .step(
                step("[2/2] RUN make")
                    .after(&["[1/2]"])
                    .line(2)
                    .ran(0.1, 18.2)
                    .exit(2)
                    .log(&["no rule", "to make"]),
            )
            .failed("[2/2]");
        let effects = script.tell(&mut app, 19.0);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::Follow(_)))
        );
        let view = app.view().unwrap();
        assert_eq!(view.build.failed_step(), Some(1));
        let step = &view.build.trace.steps[1];
        assert_eq!(step.inputs, [digest("[1/2] FROM busybox")]);
        assert_eq!(step.duration(0), 18_100_000_000);
        assert_eq!(
            view.build
                .failure()
                .and_then(|failure| failure.process_exit_code),
            Some(2)
        );
        assert_eq!(view.build.places[&step.digest].1[0].start, 2);
        assert_eq!(view.build.counts[&step.digest].lines, 2);
        assert!(screen(&app).contains("web"));
    }
}
