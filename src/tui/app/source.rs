//! The Dockerfile of the chosen session on this machine: which file it is, and editors of it.

use std::path::{Path, PathBuf};

use super::super::layer::{Layer, edit};
use super::super::msg::{Effect, NotWritten};
use super::super::session::View;
use super::App;
use crate::build::context::is_remote;
use crate::build::options::Destination;

impl App {
    /// The Dockerfile in place.
    pub(super) fn edit(&mut self) -> Vec<Effect> {
        match self.dockerfile() {
            Ok(path) => {
                self.reading = Some(path.clone());
                vec![Effect::Read(path)]
            }
            Err(line) => {
                self.complain(line);
                Vec::new()
            }
        }
    }

    /// The Dockerfile in the user's editor.
    pub(super) fn external_editor(&mut self) -> Vec<Effect> {
        let path = match self.dockerfile() {
            Ok(path) => path,
            Err(line) => {
                self.complain(line);
                return Vec::new();
            }
        };
        let editor = self
            .variable("VISUAL")
            .or_else(|| self.variable("EDITOR"))
            .unwrap_or_else(|| "vi".to_owned());
        let mut words = shell_words::split(&editor).unwrap_or_else(|_| vec![editor]);
        words.push(path.to_string_lossy().into_owned());
        self.host_program(words, true)
    }

    /// A file that was asked for is here.
    pub(super) fn on_file(&mut self, path: PathBuf, text: Result<String, String>) -> Vec<Effect> {
        if self.reading.take_if(|wanted| *wanted == path).is_none() {
            return Vec::new();
        }
        match text {
            Ok(text) => {
                let failed = self.view().and_then(|view| failed_line(view, &path));
                self.layer = Some(Layer::Edit(edit::State::new(path, text, failed)));
            }
            Err(line) => self.complain(line),
        }
        Vec::new()
    }

    /// A file has been written, or not.
    pub(super) fn on_written(
        &mut self,
        path: &Path,
        result: &Result<(), NotWritten>,
    ) -> Vec<Effect> {
        match result {
            Ok(()) => self.say(format!("saved {}", path.display())),
            Err(NotWritten::Changed) => {}
            Err(NotWritten::Failed(line)) => self.complain(line.clone()),
        }
        let Some(Layer::Edit(state)) = &mut self.layer else {
            return Vec::new();
        };
        if state.path() != path || !state.written(result) {
            return Vec::new();
        }
        self.layer = None;
        self.reload()
    }

    /// The file that the chosen session was built from.
    ///
    /// # Errors
    /// It is not known yet, or is no file of this machine; one line.
    pub(super) fn dockerfile(&self) -> Result<PathBuf, String> {
        let view = self.view().ok_or("choose a session first")?;
        let (Some(inspected), Some(options)) = (&view.inspected, view.options()) else {
            let why = "the server has not told yet what this session was built from; try again";
            return Err(why.to_owned());
        };
        let options = options.map_err(|error| error.to_string())?;
        let directory = Path::new(&inspected.directory);
        match options.dockerfile.as_deref() {
            Some("-") => Err("its Dockerfile came from standard input".to_owned()),
            Some(url) if url.contains("://") => Err(format!("its Dockerfile is at {url}")),
            Some(path) => Ok(directory.join(path)),
            None => {
                let Some(context) = self.context() else {
                    return Err(
                        "its context is no directory of this machine, and so is its Dockerfile"
                            .to_owned(),
                    );
                };
                // The engine says which of the two usual names it was.
                let small = view
                    .build
                    .files
                    .iter()
                    .any(|file| file.name == "dockerfile");
                Ok(context.join(if small { "dockerfile" } else { "Dockerfile" }))
            }
        }
    }
}

impl App {
    /// The context of the chosen session, where it is a directory of this machine.
    pub(super) fn context(&self) -> Option<PathBuf> {
        let view = self.view()?;
        let known = App::directory(&view.session);
        let (Some(inspected), Some(options)) = (&view.inspected, view.options()) else {
            return known;
        };
        let context = &options.ok()?.context;
        if context == "-" || is_remote(context) {
            return None;
        }
        // As it was typed, from where it was typed; without `.` in it, since what the kernel tells of is compared with it.
        known.or_else(|| {
            let path = Path::new(&inspected.directory).join(context);
            Some(path.components().collect())
        })
    }

    /// What the build of the chosen session writes on this machine.
    pub(super) fn outputs(&self) -> Vec<PathBuf> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let (Some(inspected), Some(Ok(options))) = (&view.inspected, view.options()) else {
            return Vec::new();
        };
        let directory = Path::new(&inspected.directory);
        let outputs = options
            .outputs
            .iter()
            .filter_map(|output| match &output.dest {
                Some(Destination::Path(path)) => Some(PathBuf::from(path)),
                Some(Destination::Stdout) | None => None,
            });
        let caches = options
            .cache_to
            .iter()
            .filter_map(|cache| cache.attrs.get("dest"));
        outputs
            .chain(caches.map(PathBuf::from))
            .chain(options.iidfile.clone())
            .chain(options.metadata_file.clone())
            .map(|path| directory.join(path).components().collect())
            .collect()
    }
}

/// The line of `path` at which the build failed, from 1.
fn failed_line(view: &View, path: &Path) -> Option<u32> {
    let build = &view.build;
    let same = |name: &str| Path::new(name).file_name() == path.file_name();
    let failure = build.failure()?;
    if let Some((file, ranges)) = build.places.get(&failure.vertex)
        && build.files.get(*file).is_some_and(|file| same(&file.name))
    {
        return ranges.first().map(|range| range.start);
    }
    let source = failure
        .sources
        .iter()
        .find(|source| same(&source.filename))?;
    source.ranges.first().map(|range| range.start)
}
