//! Completion of the paths of the form: of the directory and of the Dockerfile.

use super::super::super::app::App;
use super::super::super::msg::Effect;
use super::{DIRECTORY, DOCKERFILE, State};
use crate::monitor::complete::{Completion, complete};

impl State {
    /// The path that is being typed.
    pub(super) fn path(&self) -> Option<&str> {
        let named = self.typed && matches!(self.at, DIRECTORY | DOCKERFILE);
        let field = self.fields.get(self.at).filter(|_| named)?;
        field.at_end().then(|| field.text())
    }

    /// Reads the directory of that path, if it is not known.
    pub(super) fn list(&self, app: &mut App) -> Option<Effect> {
        app.list(self.path()?)
    }

    /// What that path can become.
    pub(super) fn paths(&self, app: &App) -> Vec<String> {
        let path = self.path();
        path.map_or_else(Vec::new, |path| app.paths(path, self.at == DIRECTORY))
    }

    /// Goes on with the path as far as there is one way only. Whether the keyboard stays in the field: a path that is
    /// whole, or that cannot become another, leaves it.
    pub(super) fn complete(&mut self, app: &App) -> bool {
        let paths = self.paths(app);
        let whole = |path: &str| {
            let same = |one: &String| one.trim_end_matches('/') == path;
            path.is_empty() || path.ends_with('/') || paths.iter().any(same)
        };
        let Some(path) = self.path().filter(|path| !whole(path)) else {
            return false;
        };
        let word = match complete(path, &paths) {
            // A blank behind it says that it is whole.
            Completion::Word(word) => match word.strip_suffix(' ') {
                Some(one) if paths.iter().any(|path| path == one) => one.to_owned(),
                _ => word,
            },
            Completion::Several(_) => return true,
            Completion::None => return false,
        };
        if let Some(field) = self.fields.get_mut(self.at) {
            field.set(&word);
        }
        true
    }
}
