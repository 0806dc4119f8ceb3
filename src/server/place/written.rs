//! What a Dockerfile sets before a COPY without an operation that would tell: USER, ENV and `WORKDIR /` since the last
//! RUN of its stage. What cannot be known from the text alone, such as the value of an ARG, is not guessed.

mod value;

use std::collections::{BTreeMap, HashSet};

use prost::Message;

use super::set;
use crate::engine::callbacks::filesync::patterns::clean;
use crate::engine::vertex::digest;
use crate::proto::pb;
use value::{assignments, expand, names};

/// Most settings that are named because they are not known.
const UNKNOWN: usize = 8;
/// Most bytes that are read and made of settings; more than a program can be started with is of no use. Variables that
/// hold others several times grow without an end.
const MOST: usize = 256 << 10;
/// What a setting counts for at least.
const LEAST: usize = 256;

/// The instructions with settings between two steps, in order, by the number of their first line.
#[derive(Debug, PartialEq)]
pub struct Written {
    escape: char,
    /// Line of the last WORKDIR that has an operation, or 0.
    directory: usize,
    /// Line, instruction in capitals, and the rest of it.
    instructions: Vec<(usize, String, String)>,
}

/// What to change.
#[derive(Debug, Default, PartialEq)]
pub struct Settings {
    /// `NAME=VALUE`, each name once: all variables, those from before included.
    pub environment: Vec<String>,
    /// The last user that was named.
    pub user: Option<String>,
    /// Whether the last directory is the root, which needs no operation.
    pub at_root: bool,
    /// Settings that are not known, a line each.
    pub notes: Vec<String>,
}

impl Written {
    /// What stands before the operation `step` in its stage, and after `run` if that is in the same stage. `directory`:
    /// the operation of the last WORKDIR. `None` when the frontend has not told where they are written.
    pub fn before(
        step: &str,
        run: Option<&str>,
        directory: Option<&str>,
        definition: &pb::Definition,
    ) -> Option<Self> {
        let source = definition.source.as_ref()?;
        // What is written twice may be either.
        let [(file, (line, _))] = places(source, step)[..] else {
            return None;
        };
        let end_of = |digest: Option<&str>| {
            let places = digest.map_or(Vec::new(), |digest| places(source, digest));
            let places = places.into_iter().filter(|(other, _)| *other == file);
            let ends = places.map(|(_, (_, last))| last);
            ends.filter(|last| *last < line).max().unwrap_or(0)
        };
        let run = end_of(run);
        let info = source.infos.get(usize::try_from(file).ok()?)?;
        let text = String::from_utf8_lossy(&info.data);
        let (escape, mut all) = instructions(&text, line, &operations(definition, source, file));
        let from = all.iter().rposition(|(_, word, _)| word == "FROM")?;
        let mut instructions = all.split_off(from);
        instructions.retain(|(line, ..)| *line > run);
        Some(Self {
            escape,
            directory: end_of(directory),
            instructions,
        })
    }

    /// What they set where `environment` was set before.
    pub fn settings(&self, environment: Vec<String>) -> Settings {
        let mut settings = Settings {
            environment,
            ..Settings::default()
        };
        let mut unknown = HashSet::new();
        let mut values = Values {
            escape: self.escape,
            left: MOST,
        };
        for (line, word, rest) in &self.instructions {
            let known = match word.as_str() {
                "ARG" => {
                    // A flag of the build may have set it.
                    unknown.extend(names(rest, self.escape));
                    true
                }
                "ENV" => values.env(rest, &mut settings, &mut unknown),
                "USER" => {
                    let user = values.of(rest, &settings.environment, &unknown);
                    settings.user = user.clone().or(settings.user);
                    user.is_some()
                }
                // Any other directory has an operation that makes it, unless the engine does not tell of it.
                "WORKDIR" if *line > self.directory => {
                    let directory = values.of(rest, &settings.environment, &unknown);
                    settings.at_root = directory.is_none_or(|path| leads_to_root(&path));
                    true
                }
                _ => true,
            };
            if !known && settings.notes.len() < UNKNOWN {
                let note = format!("not carried over: the {word} in line {line}");
                settings.notes.push(note);
            }
        }
        settings
    }
}

/// Finds values, as long as they are not too many and too large.
struct Values {
    escape: char,
    /// Bytes that may still be read and made.
    left: usize,
}

impl Values {
    /// Whether it is known what an ENV sets.
    fn env(&mut self, rest: &str, settings: &mut Settings, unknown: &mut HashSet<String>) -> bool {
        let mut known = true;
        // All of them see the variables as they were.
        let before = settings.environment.clone();
        for (name, value) in assignments(rest, self.escape) {
            // A name is written like a value.
            let named = self.of(&name, &before, unknown);
            let named = named.filter(|name| !name.is_empty() && !name.contains('='));
            match (named, self.of(&value, &before, unknown)) {
                (Some(name), Some(value)) => {
                    set(&mut settings.environment, &format!("{name}={value}"));
                    unknown.remove(&name);
                }
                (named, _) => {
                    unknown.insert(named.unwrap_or(name));
                    known = false;
                }
            }
        }
        known
    }

    fn of(
        &mut self,
        text: &str,
        environment: &[String],
        unknown: &HashSet<String>,
    ) -> Option<String> {
        self.left = self.left.checked_sub(text.len().max(LEAST))?;
        let value = expand(text, self.escape, self.left, |name| {
            let mut variables = environment.iter().filter_map(|one| one.split_once('='));
            let found = variables.find(|(known, _)| *known == name);
            found
                .map(|(_, value)| value)
                .filter(|_| !unknown.contains(name))
        })?;
        self.left = self.left.checked_sub(value.len())?;
        Some(value)
    }
}

fn leads_to_root(path: &str) -> bool {
    let parts = clean(path);
    parts.split('/').all(|part| matches!(part, "" | "." | ".."))
}

/// Where an operation is written: the file, the first line and the last one.
fn places(source: &pb::Source, digest: &str) -> Vec<(i32, (usize, usize))> {
    let locations = source.locations.get(digest);
    let place = |location: &pb::Location| {
        let lines = || location.ranges.iter().filter_map(lines);
        let first = lines().map(|(first, _)| first).min()?;
        let last = lines().map(|(_, last)| last).max()?;
        Some((location.source_index, (first, last)))
    };
    let mut places: Vec<_> = locations
        .iter()
        .flat_map(|all| &all.locations)
        .filter_map(place)
        .collect();
    places.dedup();
    places
}

fn lines(range: &pb::Range) -> Option<(usize, usize)> {
    let line = |at: &Option<pb::Position>| usize::try_from(at.as_ref()?.line).ok();
    let first = line(&range.start).filter(|line| *line > 0)?;
    Some((first, line(&range.end).unwrap_or(first).max(first)))
}

/// The lines of a file that belong to commands, whose text may look like anything: the last line by the first.
fn operations(
    definition: &pb::Definition,
    source: &pb::Source,
    file: i32,
) -> BTreeMap<usize, usize> {
    let bases: HashSet<String> = definition
        .def
        .iter()
        .filter(|bytes| {
            let op = pb::Op::decode(bytes.as_slice()).ok().and_then(|op| op.op);
            matches!(op, Some(pb::op::Op::Source(_)))
        })
        .map(|bytes| digest(bytes))
        .collect();
    let locations = source.locations.iter();
    let ranges = locations
        .filter(|(digest, _)| !bases.contains(*digest))
        .flat_map(|(_, all)| &all.locations)
        .filter(|location| location.source_index == file)
        .flat_map(|location| &location.ranges);
    let mut operations = BTreeMap::new();
    for (first, last) in ranges.filter_map(lines) {
        let known: &mut usize = operations.entry(first).or_default();
        *known = last.max(*known);
    }
    operations
}

/// The escape character, and the instructions that begin before `line` outside of `operations`, each with its line.
fn instructions(
    text: &str,
    line: usize,
    operations: &BTreeMap<usize, usize>,
) -> (char, Vec<(usize, String, String)>) {
    let escape = escape(text);
    let mut all = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut behind = 0;
    for (number, text) in (1..line).zip(text.lines()) {
        let begun = text.trim_start();
        if let Some(last) = operations.get(&number) {
            behind = behind.max(*last);
        }
        if number <= behind || begun.is_empty() || begun.starts_with('#') {
            continue;
        }
        let (first, mut words) = open.take().unwrap_or((number, String::new()));
        let end = begun.trim_end();
        // An escape character that is escaped itself goes on with nothing.
        match end
            .strip_suffix(escape)
            .filter(|begin| !begin.ends_with(escape))
        {
            Some(begin) => {
                words.push_str(begin);
                open = Some((first, words));
            }
            None => {
                words.push_str(end);
                let (word, rest) = words
                    .split_once(char::is_whitespace)
                    .unwrap_or((words.as_str(), ""));
                all.push((first, word.to_ascii_uppercase(), rest.trim().to_owned()));
            }
        }
    }
    (escape, all)
}

/// The escape character, which a comment at the top may change.
fn escape(text: &str) -> char {
    for line in text.lines() {
        let Some((name, value)) = line
            .trim()
            .strip_prefix('#')
            .and_then(|comment| comment.split_once('='))
        else {
            break;
        };
        if name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

#[cfg(test)]
mod tests;
