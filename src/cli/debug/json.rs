//! What `--format json` prints: the messages of `proto/controller.proto` under their own field names,
//! states as lower case words, bytes as text. `docs/debugging.md` shows them.

use serde_json::{Value, json};

use crate::monitor::listing;
use crate::proto::controller::{
    BuildFailure, Client, InspectResponse, Outcome, Process, Session, outcome,
};

pub(super) fn session(session: &Session) -> Value {
    json!({
        "id": session.id,
        "name": session.name,
        "state": listing::state(session),
        "builder": session.builder,
        "terminal": session.terminal,
        "created": session.created,
        "started": session.started,
        "ended": session.ended,
        "watchers": session.watchers,
        "processes": session.processes,
        "steps_done": session.steps_done,
        "steps": session.steps,
        "doing": session.doing,
        "kept_until": session.kept_until,
        "reason": session.reason,
        "build": session.build,
        "context": session.context,
        "detached": session.detached,
        "exit_code": session.exit_code,
        "trace_bytes": session.trace_bytes,
    })
}

pub(super) fn process(process: &Process) -> Value {
    json!({
        "id": process.id,
        "session": process.session,
        "arguments": process.arguments,
        "state": listing::which(process.state()),
        "user": process.user,
        "directory": process.directory,
        "tty": process.tty,
        "started": process.started,
        "ended": process.ended,
        "exit_code": process.exit_code,
        "reason": process.reason,
        "rows": process.rows,
        "cols": process.cols,
        "clients": process.clients.iter().map(client).collect::<Vec<_>>(),
        "platform": process.platform,
        "title": process.title,
        "step": process.step,
        "network": process.network,
        "mounts": process.mounts,
        "not_carried": process.not_carried,
    })
}

pub(super) fn inspect(found: &InspectResponse) -> Value {
    json!({
        "session": found.session.as_ref().map(session),
        "arguments": found.arguments,
        "directory": found.directory,
        "processes": found.processes.iter().map(process).collect::<Vec<_>>(),
        "platforms": found.platforms,
        "not_carried": found.not_carried,
        "clients": found.clients.iter().map(client).collect::<Vec<_>>(),
        "outcome": found.outcome.as_ref().map(outcome),
    })
}

fn client(client: &Client) -> Value {
    json!({
        "pid": client.pid,
        "terminal": client.terminal,
        "process": client.process,
        "read_only": client.read_only,
    })
}

fn outcome(outcome: &Outcome) -> Value {
    let (name, end) = match &outcome.end {
        Some(outcome::End::Finished(finished)) => (
            "finished",
            json!({
                // In the order of the keys, which a map on the wire does not have.
                "response": finished.response.iter().collect::<std::collections::BTreeMap<_, _>>(),
                "build_ref": finished.build_ref,
            }),
        ),
        Some(outcome::End::Failed(failed)) => ("failed", failure(failed)),
        Some(outcome::End::Canceled(canceled)) => ("canceled", json!({ "by": canceled.by })),
        None => ("unknown", json!({})),
    };
    json!({ name: end, "exit_code": outcome.exit_code })
}

fn failure(failure: &BuildFailure) -> Value {
    let sources = failure.sources.iter().map(|source| {
        json!({
            "filename": source.filename,
            "data": String::from_utf8_lossy(&source.data),
            "ranges": source
                .ranges
                .iter()
                .map(|range| json!({ "start": range.start, "end": range.end }))
                .collect::<Vec<_>>(),
        })
    });
    json!({
        "code": failure.code,
        "message": failure.message,
        "vertex": failure.vertex,
        "sources": sources.collect::<Vec<_>>(),
        "process_exit_code": failure.process_exit_code,
        "hints": failure.hints,
        "refused": failure.refused,
        "state": match failure.state() {
            crate::proto::controller::State::Unspecified => "none",
            state => listing::which(state),
        },
        "no_state": failure.no_state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::controller::{SessionState, State};

    /// The fields of a message in the contract; JSON has them all, under the same names.
    fn fields(message: &str) -> Vec<String> {
        let proto = include_str!("../../../proto/controller.proto");
        let start = format!("\nmessage {message} {{\n");
        let body = proto.split_once(&start).unwrap().1;
        let body = body.split_once("\n}").unwrap().0;
        let mut fields: Vec<String> = body
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//") && line.contains(" = "))
            .map(|line| {
                let before = line.split_once(" = ").unwrap().0;
                before.rsplit(' ').next().unwrap().to_owned()
            })
            .collect();
        fields.sort_unstable();
        fields
    }

    fn keys(value: &Value) -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn every_field_of_the_contract_is_there() {
        assert_eq!(keys(&session(&Session::default())), fields("Session"));
        assert_eq!(keys(&process(&Process::default())), fields("Process"));
        assert_eq!(keys(&client(&Client::default())), fields("Client"));
        assert_eq!(
            keys(&inspect(&InspectResponse::default())),
            fields("InspectResponse")
        );
        assert_eq!(
            keys(&failure(&BuildFailure::default())),
            fields("BuildFailure")
        );
    }

    #[test]
    fn states_are_words_and_unknown_is_null() {
        let failed = Session {
            state: SessionState::Failed.into(),
            exit_code: 1,
            ..Session::default()
        };
        assert_eq!(session(&failed)["state"], "failed");
        let running = process(&Process {
            state: State::Before.into(),
            ..Process::default()
        });
        assert_eq!(running["exit_code"], Value::Null);
        assert_eq!(running["state"], "before");
        let response = InspectResponse {
            outcome: Some(Outcome {
                end: Some(outcome::End::Failed(BuildFailure {
                    process_exit_code: Some(2),
                    ..BuildFailure::default()
                })),
                exit_code: 1,
            }),
            ..InspectResponse::default()
        };
        let found = inspect(&response);
        assert_eq!(found["outcome"]["failed"]["process_exit_code"], 2);
        assert_eq!(found["outcome"]["failed"]["state"], "none");
        assert_eq!(found["outcome"]["exit_code"], 1);
    }
}
