//! What panes read beyond the trace: they are told what they show, and say what they need for it.

use ratatui::layout::Rect;

use super::super::layout::{Class, Pane};
use super::super::msg::Effect;
use super::super::pane::Look;
use super::{App, Link};

impl App {
    /// Tells the panes what can be seen of them, and asks for lines of the log that are to be shown and not here.
    pub(super) fn ask_for_lines(&mut self) -> Vec<Effect> {
        let layout = self.layout();
        let titled = layout.class > Class::Tiny;
        let inside = |pane: Pane| -> Option<Rect> {
            let place = layout.place(pane)?;
            let title = u16::from(titled).min(place.height);
            Some(Rect {
                y: place.y + title,
                height: place.height - title,
                ..place
            })
        };
        let asks = self.link == Link::Up;
        let server = self.info.features.iter().any(|feature| feature == "log");
        let Self {
            setup,
            views,
            current,
            next_question,
            now,
            ..
        } = self;
        let Some(view) = current.as_ref().and_then(|id| views.get_mut(id)) else {
            return Vec::new();
        };
        let look = Look {
            theme: &setup.theme,
            keymap: &setup.keymap,
            focused: false,
            now: *now,
            zone: &setup.zone,
        };
        let mut id = || {
            *next_question += 1;
            *next_question
        };
        if let Some(area) = inside(Pane::Dockerfile) {
            let selected = view.progress.selected(&view.build);
            view.dockerfile.see(&view.build, selected, area.height);
        }
        let mut effects = Vec::new();
        if asks
            && server
            && let Some((id, request)) = view.happened.ask(&view.build, &mut id)
        {
            let request = Box::new(request);
            effects.push(Effect::Log { id, request });
        }
        if let Some(area) = inside(Pane::Happened) {
            let arguments = view
                .inspected
                .as_ref()
                .map_or(&[][..], |inspected| inspected.arguments.as_slice());
            view.happened
                .see((&view.build, &view.session), arguments, area, &look);
        }
        if let (Some(area), true) = (inside(Pane::Log), asks) {
            effects.extend(view.log.ask(&view.build, area.height, server, id));
        }
        effects
    }
}
