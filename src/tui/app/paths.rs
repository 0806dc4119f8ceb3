//! Paths that are being typed: what a directory of this machine holds, and what a path can become by that.

use std::path::{Path, PathBuf};

use super::super::layer::Layer;
use super::super::msg::{Effect, Entry};
use super::App;
use crate::monitor::listing::plain;

/// The directory of the path that was typed last.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Which one; its entries are here or on their way.
    directory: Option<PathBuf>,
    entries: Vec<Entry>,
}

impl App {
    /// What is known of directories may have changed meanwhile.
    pub(super) fn forget_listing(&mut self) {
        self.listing = Listing::default();
    }

    /// Reads the directory of a path that is being typed, unless it is known or on its way.
    pub fn list(&mut self, typed: &str) -> Option<Effect> {
        if typed.contains("://") {
            return None;
        }
        let directory = self.directory_of(typed);
        if self.listing.directory.as_ref() == Some(&directory) {
            return None;
        }
        self.listing = Listing {
            directory: Some(directory.clone()),
            entries: Vec::new(),
        };
        Some(Effect::List(directory))
    }

    /// What a path that is being typed can become, in order; directories end with a slash. With `directories` nothing
    /// else is offered.
    pub fn paths(&self, typed: &str, directories: bool) -> Vec<String> {
        let (head, begun) = split(typed);
        let known = self.listing.directory.as_ref();
        if known != Some(&self.directory_of(typed)) || matches!(begun, "." | "..") {
            return Vec::new();
        }
        let fits = |entry: &&Entry| {
            let name = &entry.name;
            name.starts_with(begun)
                && (entry.directory || !directories)
                // Hidden ones are for those who ask for them.
                && (!name.starts_with('.') || !begun.is_empty())
                && plain(name) == *name
        };
        let entries = self.listing.entries.iter().filter(fits);
        let path = |entry: &Entry| {
            let slash = if entry.directory { "/" } else { "" };
            format!("{head}{}{slash}", entry.name)
        };
        let mut paths: Vec<String> = entries.map(path).collect();
        paths.sort_unstable();
        paths
    }

    /// The entries of a directory are here.
    pub(super) fn on_listed(&mut self, directory: &Path, entries: Vec<Entry>) {
        if self.listing.directory.as_deref() != Some(directory) {
            return;
        }
        self.listing.entries = entries;
        if let Some(Layer::Prompt(mut state)) = self
            .layer
            .take_if(|layer| matches!(layer, Layer::Prompt(_)))
        {
            state.listed(self);
            self.layer = Some(Layer::Prompt(state));
        }
    }

    fn directory_of(&self, typed: &str) -> PathBuf {
        Path::new(&self.setup.caller.directory).join(split(typed).0)
    }
}

/// What names the directory, with its slash, and what of a name in it has been typed.
fn split(typed: &str) -> (&str, &str) {
    let at = typed.rfind('/').map_or(0, |slash| slash + 1);
    typed.split_at(at)
}

#[cfg(test)]
mod tests;
