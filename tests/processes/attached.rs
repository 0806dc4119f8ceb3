//! Those who are attached: screens, sizes, who types, who looks on.

use super::session::{Attachment, Session, plain, terminal};
use buildx::proto::controller::ExecRequest;

#[tokio::test]
async fn the_size_is_there_from_the_first_byte_and_follows_who_typed_last() {
    let session = Session::shell().await;
    let request = ExecRequest {
        rows: 33,
        cols: 101,
        ..terminal(&[
            "sh",
            "-c",
            "trap 'stty size' WINCH; stty size; while :; do read -r x; stty size; done",
        ])
    };
    let (process, _) = session.exec(request).await;
    let mut watcher = session.attach(&process).await;
    watcher.sees("33 101").await;
    let mut first = session.attach_sized(&process, 1, 20, 70).await;
    watcher.sees("20 70").await;
    let second = session.attach_sized(&process, 2, 25, 90).await;
    second.type_in("\n").await;
    first.sees("25 90").await;
    first.is_told("pid 2 on /dev/pts/2 types now").await;
    assert!(first.sizes.contains(&(25, 90)), "{:?}", first.sizes);
    // Only the size of the one who types counts.
    first.resize(21, 71).await;
    first.resize(0, 0).await;
    second.resize(26, 91).await;
    first.sees("26 91").await;
    assert!(!first.printed().contains("21 71"), "{first}");
    let listed = session.listed(&process).await;
    assert_eq!((listed.rows, listed.cols), (26, 91));
    session.close().await;
}

#[tokio::test]
async fn everybody_sees_the_same_and_who_is_there() {
    let session = Session::shell().await;
    let (process, _) = session.exec(terminal(&[])).await;
    let mut one = session.attach_sized(&process, 1, 24, 80).await;
    one.type_in("echo a''b\n").await;
    one.sees("ab").await;
    // The second gets the screen as it is now.
    let mut two = session.attach_sized(&process, 2, 24, 80).await;
    two.sees("ab").await;
    assert_eq!(two.snapshots.len(), 1);
    one.until("both", |client| client.presence.clients.len() == 2)
        .await;
    two.type_in("echo c''d\n").await;
    one.sees("cd").await;
    two.sees("cd").await;
    drop(two);
    one.is_told("pid 2 on /dev/pts/2 detached").await;
    one.until("alone", |client| client.presence.clients.len() == 1)
        .await;
    drop(one);
    let mut counts = session.processes.watch();
    counts.wait_for(|counts| counts.clients == 0).await.unwrap();
    assert_eq!(session.listed(&process).await.ended, 0);
    session.close().await;
}

#[tokio::test]
async fn who_looks_on_changes_nothing() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&["sh", "-c", "echo ready; cat"]))
        .await;
    let mut looks = session.attach_as(&process, 3, Some((5, 5)), true).await;
    looks.sees("ready").await;
    looks.type_in("nothing\n").await;
    looks.resize(6, 6).await;
    looks
        .send(buildx::proto::controller::attach_input::Input::Signal(
            "KILL".into(),
        ))
        .await;
    let types = session.attach(&process).await;
    types.type_in("something\n").await;
    looks.sees("something").await;
    assert!(!looks.printed().contains("nothing"), "{looks}");
    let listed = session.listed(&process).await;
    assert_eq!((listed.rows, listed.cols, listed.ended), (24, 80, 0));
    assert!(listed.clients.iter().any(|client| client.read_only));
    session.close().await;
}

#[tokio::test]
async fn an_ended_process_still_shows_its_last_screen() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&["sh", "-c", "echo last words; exit 9"]))
        .await;
    let mut counts = session.processes.watch();
    counts
        .wait_for(|counts| counts.processes == 0)
        .await
        .unwrap();
    let mut late = session.attach(&process).await;
    assert_eq!(late.exited().await.exit_code, Some(9));
    let screen = String::from_utf8_lossy(&late.snapshots[0].screen).into_owned();
    assert!(screen.contains("last words"), "{screen:?}");
    let (process, _) = session
        .exec(plain(&["sh", "-c", "echo plain words; exit 8"]))
        .await;
    counts
        .wait_for(|counts| counts.processes == 0)
        .await
        .unwrap();
    let mut late = session.attach(&process).await;
    assert_eq!(late.exited().await.exit_code, Some(8));
    assert_eq!(late.printed(), "plain words\n");
    session.close().await;
}

#[tokio::test]
async fn questions_of_programs_are_answered_without_anybody_attached() {
    let session = Session::shell().await;
    // Asks for the cursor and prints the answer without its escape.
    let ask = "stty raw -echo; printf '\\033[6n'; answer=$(dd bs=1 count=6 2>/dev/null); stty sane; \
         echo \"answer ${answer#?}\"";
    let (process, _) = session.exec(terminal(&["sh", "-c", ask])).await;
    let mut counts = session.processes.watch();
    counts
        .wait_for(|counts| counts.processes == 0)
        .await
        .unwrap();
    let mut client = session.attach(&process).await;
    client.sees("answer [1;1R").await;
    session.close().await;
}

#[tokio::test]
async fn titles_and_bells_are_told() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&[
            "sh",
            "-c",
            "read x; printf '\\033]0;my title\\007\\007'; read x",
        ]))
        .await;
    let mut client = session.attach(&process).await;
    client.type_in("\n").await;
    client.until("the bell", |client| client.bells == 1).await;
    assert_eq!(session.listed(&process).await.title, "my title");
    session.close().await;
}

#[tokio::test]
async fn a_stuck_program_is_resized_nevertheless() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&[
            "sh",
            "-c",
            "stty raw -echo; while :; do stty size; sleep 0.1; done",
        ]))
        .await;
    let mut client = session.attach_sized(&process, 1, 24, 80).await;
    // The size of the beginning comes through the engine, too, and must not be the later one.
    client.sees("24 80").await;
    fill(&client).await;
    client.resize(40, 100).await;
    client.sees("40 100").await;
    let watcher = session.attach_sized(&process, 2, 30, 90).await;
    watcher.type_in("y").await;
    client.sees("30 90").await;
    session.processes.kill(&process, "pid 1").await.unwrap();
    session.close().await;
}

/// More input than the terminals on the way hold, less than the server takes before it reads no further.
async fn fill(client: &Attachment) {
    for _ in 0..24 {
        client.type_in(&"x".repeat(16 << 10)).await;
    }
}

/// A client of a program that says that it is ready and then reads nothing of what has been typed.
async fn stuck(session: &Session, program: &str) -> Attachment {
    let raw = format!("stty raw -echo; {program}");
    let (process, _) = session.exec(terminal(&["sh", "-c", &raw])).await;
    let mut client = session.attach_sized(&process, 1, 24, 80).await;
    client.sees("ready").await;
    fill(&client).await;
    client
}

#[tokio::test]
async fn the_engine_lets_go_of_a_program_that_did_not_read() {
    let session = Session::shell().await;
    let mut client = stuck(
        &session,
        "trap 'exit 3' WINCH; echo ready; while :; do sleep 0.1; done",
    )
    .await;
    client.resize(40, 100).await;
    assert_eq!(client.exited().await.exit_code, Some(3));
    // The container is as good as before.
    assert_eq!(session.run("echo fine").await, ("fine\n".into(), Some(0)));
    session.close().await;
}

#[tokio::test]
async fn a_state_with_a_program_that_does_not_read_is_let_go() {
    let session = Session::shell().await;
    let _client = stuck(&session, "echo ready; exec sleep 600").await;
    session.close().await;
}
