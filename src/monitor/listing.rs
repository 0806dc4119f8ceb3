//! Sessions, processes and the server as lines for people.
//!
//! Columns are padded with tabs, as the original's are, so `cut -f1` and a look both work. Everything
//! that comes from the server passes the escape filter.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::words;
use crate::progress::units::bytes;
use crate::proto::controller::{
    Client, InfoResponse, InspectResponse, Process, Session, SessionState, State, outcome,
};
use crate::term::{escape, width};

/// Distance of tab stops.
const TAB: usize = 8;

/// A text from elsewhere that has to stay in its cell.
pub(crate) fn plain(text: &str) -> String {
    escape::line(text).replace('\t', " ")
}

/// Rows as lines; every column but the last is padded with tabs to a common width.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let stops: Vec<usize> = (0..columns)
        .map(|column| {
            let widest = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.width());
            widest.max().unwrap_or_default() / TAB + 1
        })
        .collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (at, (cell, stop)) in row.iter().zip(&stops).enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                let tabs = stop.saturating_sub(cell.width() / TAB).max(1);
                line.extend(std::iter::repeat_n('\t', tabs));
            }
        }
        line
    };
    rows.iter().map(line).collect()
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

/// A span in its largest unit: `45s`, `12m`, `3h`, `2d`.
pub fn span(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long from `now` until `until`, in words; `-` when nothing is kept.
pub fn kept(until: i64, now: i64) -> String {
    match until {
        0 => "-".to_owned(),
        _ => span(left(until, now)),
    }
}

/// Milliseconds from `now` until `until`. From a minute on the begun one counts, so that of ten minutes it is not said
/// at once that nine are left.
pub fn left(until: i64, now: i64) -> i64 {
    const MINUTE: i64 = 60_000;
    match until.saturating_sub(now) {
        left if left < MINUTE => left,
        left => left.saturating_add(MINUTE - 1) / MINUTE * MINUTE,
    }
}

/// The state of a session in a word.
pub fn state(session: &Session) -> &'static str {
    match session.state() {
        SessionState::Building => "building",
        SessionState::Succeeded => "succeeded",
        SessionState::Failed => "failed",
        SessionState::Canceled => "canceled",
        SessionState::Recoverable => "recoverable",
        SessionState::Unspecified => "unknown",
    }
}

/// The state of a process in words.
pub fn process_state(process: &Process) -> String {
    match (process.ended, process.exit_code, process.reason.as_str()) {
        (0, ..) => "running".to_owned(),
        (_, Some(code), _) => format!("exited {code}"),
        (_, None, "") => "ended".to_owned(),
        (_, None, reason) => format!("ended: {}", plain(reason)),
    }
}

/// A command as the original writes it: `[sh -c true]`.
pub fn command(process: &Process) -> String {
    format!("[{}]", plain(&process.arguments.join(" ")))
}

/// Which state a process sees.
pub fn which(state: State) -> &'static str {
    match state {
        State::Before => "before",
        State::After | State::Unspecified => "after",
    }
}

/// The lines of `list`; `current` is the id of the session that the monitor is attached to.
pub fn sessions(sessions: &[Session], current: Option<&str>, now: i64) -> Vec<String> {
    let mut rows = vec![row(&[
        "ID",
        "CURRENT_SESSION",
        "NAME",
        "STATE",
        "AGE",
        "KEPT",
        "WATCHERS",
        "PROCESSES",
        "DOING",
    ])];
    rows.extend(sessions.iter().map(|session| {
        let doing = match session.reason.as_str() {
            "" => &session.doing,
            reason => reason,
        };
        vec![
            plain(&session.id),
            (current == Some(session.id.as_str())).to_string(),
            plain(&session.name),
            state(session).to_owned(),
            span(now.saturating_sub(session.created)),
            kept(session.kept_until, now),
            session.watchers.to_string(),
            session.processes.to_string(),
            plain(doing),
        ]
    }));
    table(&rows)
}

/// The sessions on a terminal of `cols` cells, a line each: ids as short as they can be named by, at
/// least 8 characters, and what is too long is cut.
pub fn on_terminal(sessions: &[Session], now: i64, cols: usize) -> Vec<String> {
    /// Longest name that is shown whole.
    const NAME: usize = 16;
    let mut rows = vec![row(&[
        "ID", "NAME", "STATE", "AGE", "KEPT", "WATCH", "PROC", "DOING",
    ])];
    rows.extend(sessions.iter().map(|session| {
        let doing = match session.reason.as_str() {
            "" => &session.doing,
            reason => reason,
        };
        vec![
            plain(short(&session.id, sessions)),
            width::fit(&plain(&session.name), NAME),
            state(session).to_owned(),
            span(now.saturating_sub(session.created)),
            kept(session.kept_until, now),
            session.watchers.to_string(),
            session.processes.to_string(),
            plain(doing),
        ]
    }));
    let columns = rows.first().map_or(0, Vec::len);
    let room: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| width::cells(cell))
                .max()
                .unwrap_or_default()
        })
        .collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, room) in row.iter().zip(&room) {
            let mut cell = cell.clone();
            width::pad(&mut cell, room + 2);
            line.push_str(&cell);
        }
        width::fit(line.trim_end(), cols)
    };
    rows.iter().map(line).collect()
}

/// The shortest beginning of `id`, of at least 8 characters, that no other session's id has.
fn short<'a>(id: &'a str, sessions: &[Session]) -> &'a str {
    const LEAST: usize = 8;
    let others = || sessions.iter().filter(|other| other.id != id);
    (LEAST..id.len())
        .filter_map(|length| id.get(..length))
        .find(|start| others().all(|other| !other.id.starts_with(start)))
        .unwrap_or(id)
}

/// The lines of `ps`; `current` is the id of the process that the monitor is attached to.
pub fn processes(processes: &[Process], current: Option<&str>, now: i64) -> Vec<String> {
    let mut rows = vec![row(&[
        "PID",
        "CURRENT_SESSION",
        "COMMAND",
        "STATE",
        "AGE",
        "WATCHERS",
        "USER",
        "DIR",
        "OF",
    ])];
    rows.extend(processes.iter().map(|process| {
        let until = if process.ended == 0 {
            now
        } else {
            process.ended
        };
        let mut of = which(process.state()).to_owned();
        if !process.platform.is_empty() {
            let _ = write!(of, " {}", plain(&process.platform));
        }
        vec![
            plain(&process.id),
            (current == Some(process.id.as_str())).to_string(),
            command(process),
            process_state(process),
            span(until.saturating_sub(process.started)),
            process.clients.len().to_string(),
            plain(&process.user),
            plain(&process.directory),
            of,
        ]
    }));
    table(&rows)
}

/// A client in words: `pid 12 on /dev/pts/3`.
pub fn client(client: &Client) -> String {
    let mut text = format!("pid {}", client.pid);
    if !client.terminal.is_empty() {
        let _ = write!(text, " on {}", plain(&client.terminal));
    }
    if client.read_only {
        text.push_str(" (read-only)");
    }
    text
}

/// Clients in words, in one line.
pub fn clients(list: &[Client]) -> String {
    list.iter().map(client).collect::<Vec<_>>().join(", ")
}

/// The lines of `inspect`.
pub fn inspect(found: &InspectResponse, now: i64) -> Vec<String> {
    let empty = Session::default();
    let session = found.session.as_ref().unwrap_or(&empty);
    let mut rows = Vec::new();
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            rows.push(vec![format!("{what}:"), text]);
        }
    };
    say("Session", plain(&session.id));
    say("Name", plain(&session.name));
    say("State", state(session).to_owned());
    say("Reason", plain(&session.reason));
    say("Doing", plain(&session.doing));
    say("Builder", plain(&session.builder));
    say("Build", session.build.to_string());
    say(
        "Steps",
        format!("{} of {}", session.steps_done, session.steps),
    );
    say("Context", plain(&session.context));
    say("Directory", plain(&found.directory));
    say("Arguments", plain(&words::join(&found.arguments)));
    say("Platforms", plain(&found.platforms.join(", ")));
    say("Terminal", plain(&session.terminal));
    say("Age", span(now.saturating_sub(session.created)));
    say("Kept for", kept(session.kept_until, now));
    say(
        "Trace",
        bytes(i64::try_from(session.trace_bytes).unwrap_or(i64::MAX)),
    );
    if session.exit_code >= 0 && session.state() != SessionState::Building {
        say("Exit code", session.exit_code.to_string());
    }
    if let Some(outcome::End::Failed(failure)) = found.outcome.as_ref().and_then(|o| o.end.as_ref())
    {
        say("No process", plain(&failure.no_state));
    }
    for line in &found.not_carried {
        say("Not carried", plain(line));
    }
    for one in &found.clients {
        say("Used by", client(one));
    }
    let mut lines = table(&rows);
    if !found.processes.is_empty() {
        lines.push("Processes:".to_owned());
        let list = processes(&found.processes, None, now);
        lines.extend(list.iter().map(|line| format!("  {line}")));
        for process in &found.processes {
            lines.push(format!("Process {}:", plain(&process.id)));
            let list = table(&surroundings(process, &found.not_carried));
            lines.extend(list.iter().map(|line| format!("  {line}")));
        }
    }
    lines
}

/// Where a process runs, beside what its row says; `known` has been said of the session.
fn surroundings(process: &Process, known: &[String]) -> Vec<Vec<String>> {
    let lacks = process
        .not_carried
        .iter()
        .filter(|line| !known.contains(line));
    let one = |what: &str, text: &String| vec![format!("{what}:"), plain(text)];
    [("Step", &process.step), ("Network", &process.network)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(what, text)| one(what, text))
        .chain(process.mounts.iter().map(|line| one("Mount", line)))
        .chain(lacks.map(|line| one("Not carried", line)))
        .collect()
}

/// The lines of `status` about the server.
pub fn server(info: &InfoResponse, now: i64) -> Vec<String> {
    let mut rows = Vec::new();
    let mut say = |what: &str, text: String| rows.push(vec![format!("{what}:"), text]);
    let size = |n: u64| bytes(i64::try_from(n).unwrap_or(i64::MAX));
    let place = if info.in_process {
        "in this process".to_owned()
    } else {
        format!("pid {}", info.pid)
    };
    say("Server", format!("{} ({place})", plain(&info.version)));
    say("Up", span(now.saturating_sub(info.started)));
    say(
        "Sessions",
        format!("{}, {} building", info.sessions, info.builds),
    );
    say("Clients", info.clients.to_string());
    say("Processes", info.processes.to_string());
    say("Memory", size(info.memory));
    say(
        "Logs on disk",
        format!("{} of {}", size(info.disk), size(info.disk_budget)),
    );
    if info.draining {
        say(
            "Draining",
            "it ends when nobody uses it any more".to_owned(),
        );
    }
    table(&rows)
}

#[cfg(test)]
mod tests;
