//! A log that is far larger than what the client may use of memory.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use buildx::progress::time::stamp;
use buildx::proto::control::{StatusResponse, Vertex, VertexLog};
use buildx::proto::controller::trace_event::Event;
use buildx::proto::controller::{Finished, Outcome, TraceEvent, outcome};
use buildx::server::journal::{Journal, write_meta};
use buildx::server::logs::Logs;
use buildx::server::session::record::{Last, Record, State};
use prost::Message;

use super::screen;
use crate::support::engine::engine;
use crate::support::pty::Pty;
use crate::support::shared::Shared;

/// Bytes of the log.
const LONG: usize = 256 << 20;

/// Bytes of a message.
const MESSAGE: usize = 64 << 10;

/// What the client may have in memory, in KiB.
const MEMORY: u64 = 64 << 10;

/// Writes a finished session `long` with one step, as a server does that has ended since.
fn record(root: &Path) {
    let session = root.join("sessions/long");
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&session).unwrap();
    let (mut writer, trace) = Journal::create(&session.join("1.trace")).unwrap();
    let (mut indexer, _) = Logs::create(&trace).unwrap();
    let mut put = |event| {
        let event = Some(event);
        let records = [TraceEvent { time: 1, event }.encode_to_vec()];
        writer.append_batch(&records).unwrap();
        indexer.push(&records).unwrap();
    };
    let status = |message: StatusResponse| Event::Status(message.encode_to_vec().into());
    let mut vertex = Vertex {
        digest: format!("sha256:{:064}", 1),
        name: "RUN make".into(),
        started: Some(stamp(1)),
        ..Vertex::default()
    };
    let vertexes = vec![vertex.clone()];
    put(status(StatusResponse {
        vertexes,
        ..StatusResponse::default()
    }));
    let log = |msg: Vec<u8>| {
        let log = VertexLog {
            vertex: format!("sha256:{:064}", 1),
            timestamp: Some(stamp(1)),
            stream: 1,
            msg,
        };
        let logs = vec![log];
        status(StatusResponse {
            logs,
            ..StatusResponse::default()
        })
    };
    put(log(b"the first line\n".to_vec()));
    let filler = b"compiling one of very many crates of a project\n"
        .iter()
        .copied()
        .cycle();
    let message: Vec<u8> = filler.take(MESSAGE).collect();
    for _ in 0..LONG / MESSAGE {
        put(log(message.clone()));
    }
    put(log(b"\na needle\n".to_vec()));
    put(log(message));
    put(log(b"\nthe last line\n".to_vec()));
    vertex.completed = Some(stamp(2));
    let vertexes = vec![vertex];
    put(status(StatusResponse {
        vertexes,
        ..StatusResponse::default()
    }));
    put(Event::Outcome(Outcome {
        end: Some(outcome::End::Finished(Finished::default())),
        exit_code: 0,
    }));
    writer.finish().unwrap();
    indexer.finish().unwrap();
    let record = Record {
        name: "long".into(),
        build: 1,
        last: Last {
            state: State::Succeeded,
            ..Last::default()
        },
        ..Record::default()
    };
    write_meta(&session, &record.encode()).unwrap();
}

#[track_caller]
fn assert_small(pty: &Pty) {
    let status = fs::read_to_string(format!("/proc/{}/status", pty.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().nth(1));
    let resident: u64 = resident.unwrap().parse().unwrap();
    assert!(resident < MEMORY, "{resident} KiB");
}

#[test]
fn both_ends_and_a_search_in_little_memory() {
    let server = Shared::on(engine());
    record(&server.root());
    let mut pty = screen(&server, &["attach", "long"], 40, 120);
    pty.wait_until("the session", |screen| screen.contains("RUN make"));
    pty.send("L");
    pty.wait_until("the last line", |screen| screen.contains("the last line"));
    pty.send("<");
    pty.wait_until("the first line", |screen| screen.contains("the first line"));
    assert_small(&pty);
    pty.send("G");
    pty.wait_until("the last line", |screen| screen.contains("the last line"));
    pty.send("<");
    pty.wait_until("the first line again", |screen| {
        screen.contains("the first line")
    });
    pty.send("/a needle\r");
    pty.wait_until("what was looked for", |screen| {
        screen
            .lines()
            .any(|line| line.contains("a needle") && !line.contains('/'))
            && !screen.contains("the first line")
    });
    assert_small(&pty);
    pty.send("q");
    pty.wait();
}
