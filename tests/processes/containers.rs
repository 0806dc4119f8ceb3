//! Processes that share a container: how they end, and what that is to the others.

use buildx::proto::controller::ExecRequest;
use tonic::Code;

use super::session::{Session, plain, terminal};
use crate::support::context::Context;

#[tokio::test]
async fn a_failing_process_takes_neither_the_others_nor_the_edits() {
    let session = Session::shell().await;
    let (shell, _) = session.exec(terminal(&[])).await;
    let (_, code) = session.run("echo kept >/edit; exit 7").await;
    assert_eq!(code, Some(7));
    let (printed, code) = session.run("cat /edit; kill -9 $$").await;
    assert_eq!((printed.as_str(), code), ("kept\n", Some(137)));
    let mut client = session.attach(&shell).await;
    client.type_in("cat /ed*t; exit 5\n").await;
    assert_eq!(client.exited().await.exit_code, Some(5));
    assert!(client.printed().contains("kept"), "{client}");
    session.close().await;
}

#[tokio::test]
async fn exit_codes_are_those_of_shells() {
    let session = Session::shell().await;
    for (arguments, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -INT $$"], 130),
        (&["nothing-of-that-name"], 127),
        (&["/etc"], 126),
    ] {
        let (_, got) = session.run_as(plain(arguments)).await;
        assert_eq!(got, Some(code), "{arguments:?}");
    }
    session.close().await;
}

#[tokio::test]
async fn keys_that_make_signals_reach_the_program_only() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&[
            "sh",
            "-c",
            "trap 'echo got INT' INT; trap 'echo got QUIT' QUIT; echo ready; while :; do sleep 1; done",
        ]))
        .await;
    let mut client = session.attach(&process).await;
    client.sees("ready").await;
    client.type_in("\x03").await;
    client.sees("got INT").await;
    client.type_in("\x1c").await;
    client.sees("got QUIT").await;
    assert_eq!(session.listed(&process).await.ended, 0);
    let sleeps = ["sh", "-c", "echo sleeps; exec sleep 1000"];
    let (process, _) = session.exec(terminal(&sleeps)).await;
    let mut client = session.attach(&process).await;
    client.sees("sleeps").await;
    client.type_in("\x03").await;
    assert_eq!(client.exited().await.exit_code, Some(130));
    session.close().await;
}

#[tokio::test]
async fn a_shell_has_job_control() {
    let session = Session::shell().await;
    let (process, _) = session.exec(terminal(&[])).await;
    let mut client = session.attach(&process).await;
    let program = "trap \"echo ba\"\"ck\" CONT; echo ru\"\"nning; while :; do sleep 0.1; done";
    client.type_in(&format!("sh -c '{program}'\n")).await;
    client.sees("running").await;
    client.type_in("\x1a").await;
    client.sees("Stopped").await;
    client.forget();
    client.type_in("jobs\n").await;
    client.sees("Stopped").await;
    client.type_in("fg\n").await;
    client.sees("back").await;
    client.forget();
    client.type_in("\x03").await;
    client.sees("^C").await;
    client.type_in("exit 4\n").await;
    assert_eq!(client.exited().await.exit_code, Some(4));
    session.close().await;
}

#[tokio::test]
async fn signals_reach_the_program() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&[
            "sh",
            "-c",
            "trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.1; done",
        ]))
        .await;
    let mut client = session.attach(&process).await;
    client.sees("ready").await;
    session
        .processes
        .signal(&process, "sigusr1", "pid 9")
        .await
        .unwrap();
    client.is_told("pid 9 sent SIGUSR1").await;
    client.sees("got USR1").await;
    let status = session.processes.signal(&process, "NOPE", "pid 9").await;
    assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);
    session
        .processes
        .signal(&process, "KILL", "pid 9")
        .await
        .unwrap();
    assert_eq!(client.exited().await.exit_code, Some(137));
    let status = session.processes.signal(&process, "TERM", "pid 9").await;
    assert_eq!(status.unwrap_err().code(), Code::FailedPrecondition);
    session.close().await;
}

#[tokio::test]
async fn kill_ends_what_is_stopped_and_what_does_not_read() {
    let session = Session::shell().await;
    let (other, _) = session.exec(plain(&["sleep", "1000"])).await;
    for command in [
        "kill -STOP $$",
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
    ] {
        let request = ExecRequest {
            stdin: true,
            ..plain(&["sh", "-c", command])
        };
        let (process, _) = session.exec(request).await;
        let mut client = session.attach(&process).await;
        // More than pipes and windows take.
        for _ in 0..64 {
            let block = "x".repeat(16 << 10);
            let sent = client.type_in(&block);
            if tokio::time::timeout(std::time::Duration::from_millis(200), sent)
                .await
                .is_err()
            {
                break;
            }
        }
        session
            .processes
            .kill(&process, "pid 12 on /dev/pts/3")
            .await
            .unwrap();
        let exited = client.exited().await;
        assert_eq!(exited.exit_code, None);
        assert_eq!(exited.reason, "killed by pid 12 on /dev/pts/3");
    }
    assert_eq!(session.listed(&other).await.ended, 0);
    session.close().await;
}

#[tokio::test]
async fn kill_takes_what_the_program_started() {
    let session = Session::shell().await;
    let starts = "sleep 54321 & echo started; sleep 54321";
    let (process, _) = session.exec(plain(&["sh", "-c", starts])).await;
    session.attach(&process).await.sees("started").await;
    session.processes.kill(&process, "pid 1").await.unwrap();
    let (printed, _) = session.run("ps | grep -c '[s]leep 54321'").await;
    assert_eq!(printed, "0\n");
    session.close().await;
}

#[tokio::test]
async fn what_a_program_leaves_running_keeps_nobody() {
    let session = Session::shell().await;
    let (printed, code) = session
        .run("(sleep 1; echo $$ >/made; sleep 1000) & echo begun")
        .await;
    assert_eq!((printed.as_str(), code), ("begun\n", Some(0)));
    let (_, code) = session
        .run("until test -s /made; do sleep 0.1; done; pidof sleep >/dev/null")
        .await;
    assert_eq!(code, Some(0));
    session.close().await;
}

#[tokio::test]
async fn the_end_of_a_container_is_told_and_the_next_process_gets_a_new_one() {
    let session = Session::shell().await;
    session.run("echo lost >/edit").await;
    let (shell, _) = session.exec(terminal(&[])).await;
    let mut client = session.attach(&shell).await;
    // Everything but the first process and the killer: the wrappers, too.
    session.exec(plain(&["sh", "-c", "kill -9 $PPID"])).await;
    let exited = client.exited().await;
    assert_eq!(exited.exit_code, None);
    assert!(exited.reason.contains("container ended"), "{exited:?}");
    let (process, notes) = session.exec(plain(&["ls", "/edit"])).await;
    assert!(
        notes.iter().any(|note| note.contains("a new container")),
        "{notes:?}"
    );
    let mut client = session.attach(&process).await;
    assert_eq!(client.exited().await.exit_code, Some(1));
    let (_, notes) = session.exec(plain(&["true"])).await;
    assert!(!notes.iter().any(|note| note.contains("a new container")));
    session.close().await;
}

#[tokio::test]
async fn the_keeper_outlives_attempts_on_it() {
    let session = Session::shell().await;
    let (shell, _) = session.exec(terminal(&[])).await;
    let attempts = "kill -9 1; kill -TERM 1; n=0; for f in /proc/[0-9]*; do \
         set -- $(cat $f/stat); [ \"$4\" = 1 ] && kill -9 $1 && n=$((n + 1)); done; echo $n";
    assert_eq!(session.run(attempts).await.0, "1\n");
    session
        .processes
        .signal(&shell, "WINCH", "pid 1")
        .await
        .unwrap();
    let (printed, _) = session.run("echo alive").await;
    assert_eq!(printed, "alive\n");
    assert_eq!(session.listed(&shell).await.ended, 0);
    session.close().await;
}

#[tokio::test]
async fn rollback_ends_everything_and_starts_from_the_original() {
    let session = Session::shell().await;
    session.run("echo gone >/edit").await;
    let (old, _) = session.exec(terminal(&[])).await;
    let mut client = session.attach(&old).await;
    let response = session
        .processes
        .rollback(plain(&["ls", "/edit"]), "pid 12 on /dev/pts/3")
        .await
        .unwrap();
    let exited = client.exited().await;
    assert_eq!(exited.reason, "rolled back by pid 12 on /dev/pts/3");
    let mut client = session.attach(&response.process).await;
    assert_eq!(client.exited().await.exit_code, Some(1), "{client}");
    session.close().await;
}

#[tokio::test]
async fn an_image_without_shell_runs_programs_alone() {
    let context = Context::dockerfile("FROM scratch\nCOPY busybox /sbin/busybox\n").with_busybox();
    let session = Session::new(context, &[]).await;
    let state = session.build.result(&[super::session::OFFLINE]).await;
    session.open(state).await;
    let status = session.processes.exec(terminal(&[])).await.unwrap_err();
    assert!(status.message().contains("no shell"), "{status}");
    let (process, notes) = session
        .exec(plain(&[
            "/sbin/busybox",
            "sh",
            "-c",
            "echo out; echo err >&2; exit 6",
        ]))
        .await;
    assert!(notes.iter().any(|note| note.contains("alone")), "{notes:?}");
    let mut client = session.attach(&process).await;
    assert_eq!(client.exited().await.exit_code, Some(6));
    assert_eq!(
        (client.out.as_slice(), client.error.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    let (_, code) = session.run_as(plain(&["/nothing"])).await;
    assert_eq!(code, Some(127));
    let (process, _) = session
        .exec(terminal(&["/sbin/busybox", "sleep", "1000"]))
        .await;
    session.processes.kill(&process, "pid 1").await.unwrap();
    assert_eq!(session.listed(&process).await.reason, "killed by pid 1");
    session.close().await;
}

#[tokio::test]
async fn a_closed_session_tells_why_and_starts_nothing() {
    let session = Session::shell().await;
    let (process, _) = session.exec(terminal(&[])).await;
    let mut client = session.attach(&process).await;
    let mut counts = session.processes.watch();
    assert_eq!(
        (
            session.processes.counts().processes,
            session.processes.counts().clients
        ),
        (1, 1)
    );
    session.processes.close("the time to keep it is over").await;
    assert_eq!(client.exited().await.reason, "the time to keep it is over");
    drop(client);
    counts
        .wait_for(|counts| counts.processes == 0 && counts.clients == 0)
        .await
        .unwrap();
    let status = session.processes.exec(plain(&["true"])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("the time to keep it"), "{status}");
    assert!(session.processes.list().await.is_empty());
    session.close().await;
}

#[tokio::test]
async fn ids_can_be_shortened() {
    let session = Session::shell().await;
    let (process, _) = session.exec(plain(&["sleep", "1000"])).await;
    session.exec(plain(&["sleep", "1000"])).await;
    session
        .processes
        .signal(&process[..12], "TERM", "pid 1")
        .await
        .unwrap();
    let missing = session.processes.kill("0000000000000", "pid 1").await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    let empty = session.processes.kill("", "pid 1").await;
    assert_eq!(empty.unwrap_err().code(), Code::NotFound);
    session.close().await;
}
