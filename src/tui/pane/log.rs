//! PLACEHOLDER log.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::msg::{BuildId, Effect, LogAnswer, SearchAnswer};
use super::super::session::{Build, View};
use super::{Look, Then};
use crate::proto::controller::LogPattern;

/// The place in the log.
#[derive(Clone, Debug, Default)]
pub struct State {}

impl State {
    /// Another build begins.
    pub fn begin(&mut self) {}

    /// Whether a search is on.
    pub fn searching(&self) -> bool {
        false
    }

    /// Whether the log of all steps is shown.
    pub fn whole(&self) -> bool {
        false
    }

    /// Shows the log of all steps.
    pub fn show_all(&mut self) {}

    /// Shows the log of a step.
    pub fn show_step(&mut self, _build: &Build, _step: usize) {}

    /// Shows the log of the step with this number or part of a name; of all without one.
    pub fn show_named(&mut self, _build: &Build, _step: Option<&str>) {}

    /// Searches; the answers come to [`State::on_found`].
    pub fn search(&mut self, _build: &Build, _pattern: LogPattern) -> Vec<Effect> {
        Vec::new()
    }

    /// Shows only the lines that match, or all.
    pub fn filter(&mut self, _pattern: Option<LogPattern>) {}

    /// Writes what is shown into a file.
    pub fn save(&mut self, build: &Build, path: PathBuf) -> Effect {
        Effect::SaveLog {
            build: BuildId {
                session: String::new(),
                build: build.number,
            },
            vertex: String::new(),
            path,
        }
    }

    /// Takes lines that were asked for.
    pub fn on_lines(&mut self, _answer: LogAnswer) {}

    /// Takes what a search has found; gives a complaint.
    pub fn on_found(&mut self, answer: SearchAnswer) -> Option<String> {
        answer.answer.err()
    }
}

/// Does what an action means here.
pub fn act(_view: &mut View, _action: Action, _rows: u16) -> Then {
    Then::Ignored
}

/// Draws the lines.
pub fn draw(view: &View, area: Rect, buf: &mut Buffer, look: &Look) {
    let Some(step) = view.progress.selected(&view.build) else {
        return;
    };
    let Some(step) = view.build.trace.steps.get(step) else {
        return;
    };
    let lines: Vec<_> = step.log.tail().collect();
    let first = lines.len().saturating_sub(usize::from(area.height));
    for (line, y) in lines.iter().skip(first).zip(area.top()..) {
        super::text::put(
            buf,
            area,
            area.x,
            y,
            &line.text,
            look.theme.style(super::super::theme::Role::Text),
        );
    }
}

/// The title: left and right part.
pub fn title(_view: &View, _look: &Look) -> (String, String) {
    ("log".to_owned(), String::new())
}
