//! Completion: what the word before the cursor may become.

use std::time::Duration;

use super::exec::Api;
use super::listing;
use super::table::{self, Kind};
use crate::proto::controller::{ListSessionsRequest, Process, SessionRequest};
use crate::signals::SIGNALS;

/// How long a server may take to say what there is; a key must not wait longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The word that is to be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it begins in the line.
    pub from: usize,
    /// What of it has been typed.
    pub word: String,
    /// What it can be.
    pub of: Of,
}

/// What a word can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The command itself.
    Command,
    /// A flag of that command.
    Flag(&'static [table::Flag]),
    /// What an argument names.
    Argument(Kind),
    /// Nothing that could be known.
    Nothing,
}

/// What completing leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The word becomes this.
    Word(String),
    /// There are several, none longer than what has been typed.
    Several(Vec<String>),
    /// There is none.
    None,
}

/// The word before the byte `at` of `line`.
pub fn wanted(line: &str, at: usize) -> Wanted {
    let typed = line.get(..at).unwrap_or(line);
    let from = typed
        .char_indices()
        .rfind(|(_, c)| c.is_whitespace())
        .map_or(0, |(index, c)| index + c.len_utf8());
    let (before, word) = typed.split_at(from);
    let mut words = before.split_whitespace();
    let of = match words.next() {
        None => Of::Command,
        Some(name) => match table::find(name) {
            Some(spec) if word.starts_with('-') => Of::Flag(spec.flags),
            Some(spec) => {
                let position = words.filter(|word| !word.starts_with('-')).count();
                spec.kinds
                    .get(position)
                    .map_or(Of::Nothing, |&kind| Of::Argument(kind))
            }
            None => Of::Nothing,
        },
    };
    Wanted {
        from,
        word: word.to_owned(),
        of,
    }
}

/// What the word can become; `session` is the current one.
pub async fn candidates(api: &Api, session: Option<&str>, of: Of) -> Vec<String> {
    let mut found = match (known(of), of) {
        (Some(known), _) => known,
        (None, Of::Argument(kind)) => {
            let asked = asked(api.clone(), session, kind);
            tokio::time::timeout(PATIENCE, asked)
                .await
                .unwrap_or_default()
        }
        (None, _) => Vec::new(),
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// What the word can become without asking the server; `None` when only that knows.
pub fn known(of: Of) -> Option<Vec<String>> {
    Some(match of {
        Of::Command | Of::Argument(Kind::Command) => table::names().map(str::to_owned).collect(),
        Of::Flag(flags) => flags
            .iter()
            .map(|flag| format!("--{}", flag.long))
            .collect(),
        Of::Argument(Kind::Signal) => SIGNALS.iter().map(|&name| name.to_owned()).collect(),
        Of::Argument(Kind::Text) | Of::Nothing => Vec::new(),
        Of::Argument(Kind::Session | Kind::Process | Kind::Either) => return None,
    })
}

/// Whether commands can do anything with a process: it has not ended.
pub fn runs(process: &Process) -> bool {
    process.ended == 0
}

/// A server that refuses has nothing to offer.
async fn asked(mut api: Api, session: Option<&str>, kind: Kind) -> Vec<String> {
    let mut found = Vec::new();
    if matches!(kind, Kind::Session | Kind::Either)
        && let Ok(list) = api.list_sessions(ListSessionsRequest {}).await
    {
        for session in list.into_inner().sessions {
            found.push(session.id);
            // A name with a blank would be two words.
            if !session.name.contains(char::is_whitespace) {
                found.push(session.name);
            }
        }
    }
    if matches!(kind, Kind::Process | Kind::Either)
        && let Some(session) = session
    {
        let session = session.to_owned();
        if let Ok(list) = api.list_processes(SessionRequest { session }).await {
            let running = list.into_inner().processes.into_iter().filter(runs);
            found.extend(running.map(|one| one.id));
        }
    }
    found.retain(|one| !one.is_empty() && listing::plain(one) == *one);
    found
}

/// What `word` becomes when these are all that it can become.
pub fn complete(word: &str, candidates: &[String]) -> Completion {
    let fits: Vec<&String> = candidates
        .iter()
        .filter(|candidate| candidate.starts_with(word))
        .collect();
    let Some(first) = fits.first() else {
        return Completion::None;
    };
    if fits.len() == 1 {
        return Completion::Word(format!("{first} "));
    }
    let common = fits.iter().fold(first.as_str(), |common, fit| {
        let length: usize = common
            .chars()
            .zip(fit.chars())
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a.len_utf8())
            .sum();
        common.get(..length).unwrap_or_default()
    });
    match common.len() > word.len() {
        true => Completion::Word(common.to_owned()),
        false => Completion::Several(fits.into_iter().cloned().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::fake::{Canned, Fake};
    use crate::proto::controller::Session;

    fn of(line: &str) -> (usize, String, Of) {
        let wanted = wanted(line, line.len());
        (wanted.from, wanted.word, wanted.of)
    }

    #[test]
    fn what_a_word_can_be_follows_from_its_place() {
        let argument = Of::Argument;
        let table = [
            ("", (0, "", Of::Command)),
            ("  att", (2, "att", Of::Command)),
            ("attach ", (7, "", argument(Kind::Either))),
            ("attach --read-only ab", (19, "ab", argument(Kind::Either))),
            ("attach ab cd", (10, "cd", Of::Nothing)),
            ("signal I", (7, "I", argument(Kind::Signal))),
            ("signal INT p", (11, "p", argument(Kind::Process))),
            ("help ex", (5, "ex", argument(Kind::Command))),
            ("exec c", (5, "c", argument(Kind::Text))),
            ("ps x", (3, "x", Of::Nothing)),
            ("frob x", (5, "x", Of::Nothing)),
        ];
        for (line, (from, word, expected)) in table {
            assert_eq!(of(line), (from, word.to_owned(), expected), "{line}");
        }
        assert!(matches!(of("exec --i").2, Of::Flag(flags) if !flags.is_empty()));
        // The cursor decides, not the end of the line.
        assert_eq!(wanted("lis t", 3).word, "lis");
        assert_eq!(wanted("é x", 99).word, "x");
    }

    #[tokio::test]
    async fn sessions_and_processes_come_from_the_server() {
        let fake = Fake::with(Canned {
            sessions: vec![
                Session {
                    id: "abc".into(),
                    name: "app".into(),
                    ..Session::default()
                },
                Session {
                    id: "abd".into(),
                    name: "\x1b[2J".into(),
                    ..Session::default()
                },
            ],
            processes: vec![
                Process {
                    id: "pq".into(),
                    session: "abc".into(),
                    ..Process::default()
                },
                Process {
                    id: "pr".into(),
                    session: "abc".into(),
                    ended: 1,
                    ..Process::default()
                },
            ],
            ..Canned::default()
        });
        let api = fake.api().await;
        let all = candidates(&api, Some("abc"), Of::Argument(Kind::Either)).await;
        assert_eq!(all, ["abc", "abd", "app", "pq"]);
        let sessions = candidates(&api, None, Of::Argument(Kind::Either)).await;
        assert_eq!(sessions, ["abc", "abd", "app"]);
        assert_eq!(complete("p", &all), Completion::Word("pq ".into()));
        assert_eq!(
            complete("ab", &all),
            Completion::Several(vec!["abc".into(), "abd".into()])
        );
        assert_eq!(
            complete("", &["xay".into(), "xaz".into()]),
            Completion::Word("xa".into())
        );
        assert_eq!(complete("z", &all), Completion::None);
    }

    #[tokio::test]
    async fn commands_flags_and_signals_are_in_the_table() {
        let api = Fake::default().api().await;
        let commands = candidates(&api, None, Of::Command).await;
        assert_eq!(
            complete("rol", &commands),
            Completion::Word("rollback ".into())
        );
        assert_eq!(
            complete("d", &commands),
            Completion::Several(vec!["detach".into(), "disconnect".into()])
        );
        let flags = candidates(&api, None, wanted("exec --in", 9).of).await;
        assert_eq!(
            complete("--ini", &flags),
            Completion::Word("--init ".into())
        );
        let signals = candidates(&api, None, Of::Argument(Kind::Signal)).await;
        assert_eq!(complete("WI", &signals), Completion::Word("WINCH ".into()));
    }
}
