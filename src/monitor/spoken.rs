//! What the monitor says to a screen reader: sentences where others get a table or a short form.

use super::exec::has_state;
use super::header::Scene;
use super::listing;
use crate::progress::sentences::words::{self, Label};
use crate::progress::units;
use crate::proto::controller::{Outcome, Process, Session, State, outcome};

/// Said when the keyboard changes hands.
pub const AT_PROMPT: &str = "You are at the prompt of the monitor.";

/// Said when the keyboard changes hands.
pub const IN_SHELL: &str = "You are in the process.";

/// Milliseconds as words.
fn span(milliseconds: i64) -> String {
    // A part of a second is nothing to hear of.
    let seconds = milliseconds.max(0) / 1000;
    words::span(seconds.saturating_mul(1_000_000_000))
}

/// How long the state of a build is kept, of which `until` is the end.
pub fn kept(until: i64, now: i64) -> String {
    match until {
        0 => "The state of the build is not kept.".to_owned(),
        until => format!(
            "The state of the build is kept for {}.",
            span(listing::left(until, now))
        ),
    }
}

/// What the first process is started in. `prefix`: the prefix key, as `Ctrl-a`.
pub fn opened(scene: &Scene<'_>, kept_until: i64, now: i64, prefix: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(process) = scene.process {
        let place = scene.outcome.map_or_else(String::new, |outcome| {
            format!(" {}", place(outcome, scene.step))
        });
        lines.push(format!(
            "The process {} is open{place}{}.",
            command(process),
            circumstances(process)
        ));
        if let Some(outcome::End::Failed(failure)) = scene.outcome.and_then(|o| o.end.as_ref())
            && has_state(failure)
            && failure.state() != State::Before
        {
            lines
                .push("At the prompt, rollback --init opens the state before the step.".to_owned());
        }
    }
    lines.push(kept(kept_until, now));
    if scene.process.is_some() {
        lines.push(format!(
            "Press {prefix} and then c to come to the prompt of the monitor, and the same to come back."
        ));
    }
    lines
}

/// In which state a process is started.
fn place(outcome: &Outcome, step: &str) -> String {
    let step = match step {
        "" => "the failed step".to_owned(),
        step => Label::of(step).object(),
    };
    match &outcome.end {
        Some(outcome::End::Failed(failure)) => match failure.state() {
            State::Before => format!("in the state before {step}"),
            State::After | State::Unspecified => {
                format!("in the state after {step}, as the failure left it")
            }
        },
        _ => "in the result of the build".to_owned(),
    }
}

fn command(process: &Process) -> String {
    listing::plain(&process.arguments.join(" "))
}

/// `, as user root, in directory /srv, on linux/arm64`.
fn circumstances(process: &Process) -> String {
    let known = [
        (", as user ", &process.user),
        (", in directory ", &process.directory),
        (", on ", &process.platform),
    ];
    let known = known.into_iter().filter(|(_, text)| !text.is_empty());
    known
        .map(|(what, text)| format!("{what}{}", listing::plain(text)))
        .collect()
}

/// The sessions, a line each; `current` is the id of the one that the monitor is attached to.
pub fn sessions(sessions: &[Session], current: Option<&str>, now: i64) -> Vec<String> {
    let count = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    let mut lines = vec![match count {
        0 => "There is no session.".to_owned(),
        1 => "There is 1 session.".to_owned(),
        _ => format!("There are {count} sessions."),
    }];
    lines.extend(sessions.iter().map(|session| {
        let here = match current == Some(session.id.as_str()) {
            true => ", where you are",
            false => "",
        };
        let mut line = format!(
            "Session {}, id {}{here}: {}, {} old",
            listing::plain(&session.name),
            listing::plain(&session.id),
            listing::state(session),
            span(now.saturating_sub(session.created)),
        );
        for (number, unit) in [
            (session.watchers, "watcher"),
            (session.processes, "process"),
        ] {
            if number > 0 {
                line.push_str(&format!(", {}", count_of(number, unit)));
            }
        }
        line.push('.');
        let doing = match session.reason.as_str() {
            "" => &session.doing,
            reason => reason,
        };
        if !doing.is_empty() {
            line.push_str(&format!(" {}", words::sentence(&listing::plain(doing))));
        }
        if session.kept_until != 0 {
            line.push_str(&format!(" {}", kept(session.kept_until, now)));
        }
        line
    }));
    lines
}

fn count_of(number: u32, unit: &str) -> String {
    match (number, unit) {
        (2.., "process") => format!("{number} processes"),
        _ => units::count(number, unit),
    }
}

/// The processes of a session, a line each; `current` is the id of the one that the monitor is attached to.
pub fn processes(processes: &[Process], current: Option<&str>, now: i64) -> Vec<String> {
    let count = u32::try_from(processes.len()).unwrap_or(u32::MAX);
    let mut lines = vec![match count {
        0 => "There is no process.".to_owned(),
        1 => "There is 1 process.".to_owned(),
        _ => format!("There are {count} processes."),
    }];
    lines.extend(processes.iter().map(|process| {
        let until = match process.ended {
            0 => now,
            ended => ended,
        };
        let here = match current == Some(process.id.as_str()) {
            true => ", the one that you are in",
            false => "",
        };
        let state = match (process.ended, process.exit_code) {
            (0, _) => "runs".to_owned(),
            (_, Some(code)) => format!("ended with exit code {code}"),
            _ => listing::process_state(process),
        };
        let clients = u32::try_from(process.clients.len()).unwrap_or(u32::MAX);
        format!(
            "Process {}, id {}{here}: {state}, after {}, in the state {} the step{}, {}.",
            command(process),
            listing::plain(&process.id),
            span(until.saturating_sub(process.started)),
            listing::which(process.state()),
            circumstances(process),
            count_of(clients, "watcher"),
        )
    }));
    lines
}

/// What a word can be completed to.
pub fn completions(words: &[String]) -> String {
    let all = units::count(words.len(), "completion");
    format!("{all}: {}.", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::controller::{BuildFailure, Finished, SessionState};

    fn process() -> Process {
        Process {
            id: "p1".into(),
            arguments: vec!["/bin/sh".into(), "\x1b[2J".into()],
            user: "1000".into(),
            directory: "/srv/app".into(),
            started: 1000,
            ..Process::default()
        }
    }

    #[test]
    fn what_is_open_where() {
        let process = process();
        let outcome = |end| Outcome {
            end: Some(end),
            exit_code: 1,
        };
        let said = |outcome: &Outcome| {
            let scene = Scene {
                outcome: Some(outcome),
                step: "[build 2/3] RUN make",
                process: Some(&process),
            };
            opened(&scene, 601_000, 1000, "Ctrl-a")
        };
        let failed = |state: State| {
            outcome(outcome::End::Failed(BuildFailure {
                state: state.into(),
                ..BuildFailure::default()
            }))
        };
        assert_eq!(
            said(&failed(State::After)),
            [
                "The process /bin/sh ^[[2J is open in the state after step 2 of 3 of stage build, as the failure left it, as user 1000, in directory /srv/app.",
                "At the prompt, rollback --init opens the state before the step.",
                "The state of the build is kept for 10 minutes.",
                "Press Ctrl-a and then c to come to the prompt of the monitor, and the same to come back.",
            ]
        );
        let before = said(&failed(State::Before));
        assert!(before[0].contains("in the state before step 2 of 3 of stage build,"));
        assert_eq!(before.len(), 3);
        let good = said(&outcome(outcome::End::Finished(Finished::default())));
        assert!(good[0].contains(" is open in the result of the build, as user"));
    }

    #[test]
    fn lists_are_sentences() {
        let mut session = Session {
            id: "abc".into(),
            name: "app\x1b[2J".into(),
            created: 1000,
            processes: 2,
            doing: "[5/5] RUN make".into(),
            kept_until: 121_000,
            ..Session::default()
        };
        session.set_state(SessionState::Failed);
        assert_eq!(
            sessions(&[session], Some("abc"), 61_000),
            [
                "There is 1 session.",
                "Session app^[[2J, id abc, where you are: failed, 1 minute old, 2 processes. [5/5] RUN make. The state of the build is kept for 1 minute.",
            ]
        );
        assert_eq!(sessions(&[], None, 0), ["There is no session."]);
        let ended = Process {
            ended: 3000,
            exit_code: Some(3),
            ..process()
        };
        assert_eq!(
            processes(&[process(), ended], Some("p1"), 2000)[..2],
            [
                "There are 2 processes.",
                "Process /bin/sh ^[[2J, id p1, the one that you are in: runs, after 1 second, in the state after the step, as user 1000, in directory /srv/app, 0 watchers.",
            ]
        );
        assert_eq!(
            completions(&["list".into(), "logs".into()]),
            "2 completions: list, logs."
        );
    }
}
