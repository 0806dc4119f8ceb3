//! What is given in a prompt → what is done.

use std::path::PathBuf;

use super::super::action::{self, ACTIONS, Action};
use super::super::layer::lines;
use super::super::layer::prompt::{Candidate, What};
use super::super::layer::{Layer, prompt};
use super::super::layout::Pane;
use super::super::msg::Effect;
use super::super::recent;
use super::super::shell::Kind;
use super::App;
use crate::build::flags;
use crate::build::options::Destination;
use crate::build::suggest::did_you_mean;
use crate::monitor::complete::{Of, known, runs, wanted};
use crate::monitor::invoke::On;
use crate::monitor::listing::plain;
use crate::monitor::parse::{Command, Process, parse};
use crate::monitor::table::{self, Kind as Names};
use crate::monitor::words;
use crate::proto::controller::{BuildRequest, LogPattern};

/// The word that begins a build, when others come behind it.
const BUILD: &str = "build";

impl App {
    /// Opens a prompt.
    pub(super) fn prompt(&mut self, what: What, text: &str) {
        self.forget_listing();
        let state = prompt::State::new(self, what, text);
        self.layer = Some(Layer::Prompt(state));
    }

    /// Does what was given in a prompt.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn submit(&mut self, what: What, text: &str) -> Result<Vec<Effect>, String> {
        match what {
            What::Command => {
                let effects = self.run_line(text)?;
                let mut all = self.remember(text);
                all.extend(effects);
                Ok(all)
            }
            What::Search if text.is_empty() => Ok(Vec::new()),
            What::Search => {
                let pattern = pattern(text)?;
                self.patterns.add(text);
                Ok(self
                    .view_mut()
                    .map_or_else(Vec::new, |view| view.log.search(&view.build, pattern)))
            }
            What::Filter => {
                let pattern = match text {
                    "" => None,
                    text => Some(pattern(text)?),
                };
                self.patterns.add(text);
                Ok(self
                    .view_mut()
                    .map_or_else(Vec::new, |view| view.log.filter(pattern)))
            }
            What::Save => {
                let path = self.path(text)?;
                let save = self
                    .view()
                    .map(|view| view.log.save(&view.build, &self.setup.zone, path, false));
                Ok(save.into_iter().collect())
            }
        }
    }

    /// A file that the user has named, from the directory that this program was started in.
    fn path(&self, text: &str) -> Result<PathBuf, String> {
        if text.is_empty() {
            return Err("which file?".to_owned());
        }
        if let Some(rest) = text.strip_prefix("~/")
            && let Some(home) = self.variable("HOME")
        {
            return Ok(PathBuf::from(home).join(rest));
        }
        Ok(PathBuf::from(&self.setup.caller.directory).join(text))
    }

    fn remember(&mut self, line: &str) -> Vec<Effect> {
        let new = self.commands.add(line);
        let file = self.setup.history.clone().filter(|_| new);
        file.map(|file| Effect::Remember {
            file,
            line: line.to_owned(),
        })
        .into_iter()
        .collect()
    }

    /// A word that is the name of an action does that; otherwise it is a command of the monitor, or a build.
    fn run_line(&mut self, line: &str) -> Result<Vec<Effect>, String> {
        let words = words::split(line).map_err(str::to_owned)?;
        let Some((name, rest)) = words.split_first() else {
            return Ok(Vec::new());
        };
        if rest.is_empty()
            && let Some(spec) = action::find(name)
        {
            return Ok(self.act(spec.action));
        }
        if name == BUILD && !rest.is_empty() {
            return self.start_build(rest);
        }
        if table::find(name).is_none() {
            let names = table::names().chain(ACTIONS.iter().map(|spec| spec.name));
            let near = did_you_mean(name, names);
            return Err(match action::find(name) {
                Some(_) => format!("{name} takes no arguments"),
                None => format!("unknown command: {name:?}{near}"),
            });
        }
        let command = parse(line).map_err(|mistake| mistake.0)?;
        Ok(command.map_or_else(Vec::new, |command| self.command(command)))
    }

    /// Carries a command of the monitor out.
    fn command(&mut self, command: Command) -> Vec<Effect> {
        match command {
            Command::Help(Some(word)) => {
                let lines = table::spec(word).map(table::help_for).unwrap_or_default();
                self.layer = Some(Layer::Lines(lines::State::new("help", lines)));
                Vec::new()
            }
            Command::Help(None) => self.act(Action::Help),
            Command::Detach => self.act(Action::Detach),
            Command::Exit => match (&self.started, &self.current) {
                (Some(started), Some(current)) if started.session == *current => {
                    self.act(Action::Quit)
                }
                _ => self.act(Action::Detach),
            },
            Command::Exec(process) => match self.current.clone() {
                Some(session) => self.start_process(&session, process),
                None => {
                    self.say("choose a session first");
                    Vec::new()
                }
            },
            command => {
                let process = self.shell().and_then(|shell| shell.process.clone());
                vec![Effect::Run {
                    session: self.current.clone(),
                    process,
                    command,
                }]
            }
        }
    }

    /// Starts a process in a tab of its own.
    fn start_process(&mut self, session: &str, process: Process) -> Vec<Effect> {
        let size = self.shell_size();
        let kind = Kind::Process {
            init: process.init,
            platform: process.platform.clone(),
        };
        let tab = self.add_shell(session, kind, size);
        self.focus_on(Pane::Shell);
        vec![Effect::Exec {
            tab,
            session: session.to_owned(),
            process: Box::new(process),
            size,
            rollback: false,
        }]
    }

    /// Starts the build that these words mean.
    ///
    /// # Errors
    /// What is wrong with them, in one line.
    pub fn start_build(&mut self, words: &[String]) -> Result<Vec<Effect>, String> {
        let words = flags::words::normal(words).map_err(|error| error.to_string())?;
        let options = flags::parse(&words).map_err(|error| error.to_string())?;
        if options.context == "-" || options.dockerfile.as_deref() == Some("-") {
            return Err("the keyboard belongs to the screen: a build from standard input is started with 'buildx build' elsewhere".to_owned());
        }
        if options
            .outputs
            .iter()
            .any(|output| output.dest == Some(Destination::Stdout))
        {
            return Err("the screen has no standard output for a result: name a file".to_owned());
        }
        let request = BuildRequest {
            caller: Some(self.setup.caller.clone()),
            arguments: words.clone(),
            keep_success: self.setup.on == On::Always,
            attaches: true,
            ..BuildRequest::default()
        };
        let mut effects = vec![Effect::Build(Box::new(request))];
        let directory = PathBuf::from(&self.setup.caller.directory);
        if let Some(kept) = recent::kept(&words, &directory) {
            recent::add(&mut self.setup.recent, kept.clone());
            let file = self.setup.recent_file.clone();
            effects.extend(file.map(|file| Effect::Recent { file, words: kept }));
        }
        Ok(effects)
    }

    /// Reads the directory of the path before the byte `at` of a command line, if one is being typed there and that
    /// is not known.
    pub fn list_for(&mut self, line: &str, at: usize) -> Option<Effect> {
        let wanted = wanted(line, at);
        let path = builds(line, wanted.from) && !wanted.word.starts_with('-');
        path.then(|| self.list(&wanted.word)).flatten()
    }

    /// What the word before the byte `at` of a command line can become, and where it begins.
    pub fn candidates(&self, line: &str, at: usize) -> (usize, Vec<Candidate>) {
        let wanted = wanted(line, at);
        let building = builds(line, wanted.from);
        let mut found: Vec<Candidate> = match wanted.of {
            _ if building && wanted.word.starts_with('-') => flags::words::flags()
                .into_iter()
                .map(|word| named(word, ""))
                .collect(),
            _ if building => {
                let before = line.get(..wanted.from).unwrap_or_default();
                let before = before.split_whitespace().next_back();
                let directories = !matches!(before, Some("-f" | "--file"));
                let paths = self.paths(&wanted.word, directories).into_iter();
                // Others would need quotes.
                let one_word = paths.filter(|path| words::join([path]) == *path);
                one_word.map(|path| named(path, "")).collect()
            }
            Of::Command => {
                let commands = table::names()
                    .map(|name| named(name, table::find(name).map_or("", |spec| spec.about)));
                let actions = ACTIONS.iter().map(|spec| named(spec.name, spec.about));
                commands.chain(actions).collect()
            }
            Of::Flag(flags) => flags
                .iter()
                .map(|flag| named(format!("--{}", flag.long), flag.about))
                .collect(),
            Of::Argument(kind) => match known(wanted.of) {
                Some(words) => words
                    .into_iter()
                    .map(|word| {
                        let about = match kind {
                            Names::Command => table::find(&word).map_or("", |spec| spec.about),
                            _ => "",
                        };
                        named(word, about)
                    })
                    .collect(),
                None => self.ids(kind),
            },
            Of::Nothing => Vec::new(),
        };
        found.retain(|one| one.word.starts_with(&wanted.word));
        found.sort_by(|one, other| one.word.cmp(&other.word));
        found.dedup_by(|one, other| one.word == other.word);
        (wanted.from, found)
    }

    /// Sessions, and processes that run, as far as they are known here.
    fn ids(&self, kind: Names) -> Vec<Candidate> {
        let mut found = Vec::new();
        if matches!(kind, Names::Session | Names::Either) {
            for view in self.sessions() {
                let session = &view.session;
                found.push(named(session.id.clone(), view.name()));
                if !session.name.contains(char::is_whitespace) {
                    found.push(named(session.name.clone(), super::state_word(session)));
                }
            }
        }
        if matches!(kind, Names::Process | Names::Either)
            && let Some(inspected) = self.view().and_then(|view| view.inspected.as_ref())
        {
            for process in inspected.processes.iter().filter(|one| runs(one)) {
                let words = plain(&process.arguments.join(" "));
                found.push(named(process.id.clone(), words));
            }
        }
        found.retain(|one| !one.word.is_empty() && plain(&one.word) == one.word);
        found
    }
}

/// Whether a word that begins at this byte of a command line belongs to a build.
fn builds(line: &str, from: usize) -> bool {
    from > 0 && line.split_whitespace().next() == Some(BUILD)
}

fn named(word: impl Into<String>, about: impl Into<String>) -> Candidate {
    Candidate {
        word: word.into(),
        about: about.into(),
    }
}

/// What a search is for. A regular expression has `re:` before it; upper and lower case are the same as long as
/// nothing is upper case.
///
/// # Errors
/// The regular expression cannot be read; one line.
fn pattern(text: &str) -> Result<LogPattern, String> {
    let (text, regex) = match text.strip_prefix("re:") {
        Some(expression) => (expression, true),
        None => (text, false),
    };
    if regex {
        regex::Regex::new(text).map_err(|error| {
            let error = error.to_string();
            let last = error.lines().next_back().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        })?;
    }
    Ok(LogPattern {
        text: text.to_owned(),
        regex,
        ignore_case: !text.chars().any(char::is_uppercase),
    })
}
