//! Output in bulk: complete for scripts, skipped for viewers who are slow, a burden to nobody else.

use std::time::{Duration, Instant};

use super::session::{Session, plain, terminal};
use buildx::proto::controller::ExecRequest;

#[tokio::test]
async fn megabytes_are_complete_for_a_script_that_is_slow() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(plain(&["sh", "-c", "seq 1 700000; echo end >&2; exit 3"]))
        .await;
    // Nobody is attached for a while: nothing is lost.
    session.run("true").await;
    let mut client = session.attach(&process).await;
    for _ in 0..5 {
        client.next().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.exited().await.exit_code, Some(3));
    assert_eq!(client.error, b"end\n");
    assert!(client.notices.is_empty(), "{client}");
    let want: String = (1..=700_000).map(|number| format!("{number}\n")).collect();
    assert!(
        client.printed() == want,
        "{} of {}",
        client.out.len(),
        want.len()
    );
    session.close().await;
}

#[tokio::test]
async fn megabytes_of_a_terminal_are_complete_for_a_script_that_wants_them_raw() {
    let session = Session::shell().await;
    let request = ExecRequest {
        raw: true,
        ..terminal(&["sh", "-c", "printf '\\033[1mbold'; seq 1 300000; exit 3"])
    };
    let (process, _) = session.exec(request).await;
    // Nobody is attached for a while: nothing is lost.
    session.run("true").await;
    let mut client = session.attach_raw(&process).await;
    for _ in 0..5 {
        client.next().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.exited().await.exit_code, Some(3));
    assert!(
        client.notices.is_empty() && client.snapshots.is_empty(),
        "{client}"
    );
    let numbers: String = (1..=300_000)
        .map(|number| format!("{number}\r\n"))
        .collect();
    assert!(
        client.printed() == format!("\x1b[1mbold{numbers}"),
        "{client}"
    );
    // What is left of an ended process is its screen.
    drop(client);
    let mut late = session.attach(&process).await;
    late.sees("300000").await;
    session.close().await;
}

#[tokio::test]
async fn input_is_complete_to_its_end() {
    let session = Session::shell().await;
    let request = ExecRequest {
        stdin: true,
        ..plain(&["sh", "-c", "wc -c; cat"])
    };
    let (process, _) = session.exec(request).await;
    let mut client = session.attach(&process).await;
    let text = "0123456789abcdef".repeat(4096);
    for _ in 0..32 {
        client.type_in(&text).await;
    }
    client.close_input().await;
    assert_eq!(client.exited().await.exit_code, Some(0));
    assert_eq!(client.printed(), format!("{}\n", 32 * text.len()));
    session.close().await;
}

#[tokio::test]
async fn bytes_that_look_like_reports_are_output() {
    let session = Session::shell().await;
    let odd = "printf '\\033_0123456789abcdefghijklmno;e;0\\033\\\\'; printf '\\033'; exit 4";
    let (printed, code) = session.run(odd).await;
    assert_eq!(printed, "\x1b_0123456789abcdefghijklmno;e;0\x1b\\\x1b");
    assert_eq!(code, Some(4));
    session.close().await;
}

#[tokio::test]
async fn a_slow_viewer_of_a_flood_gets_the_screen_and_stalls_nobody() {
    let session = Session::shell().await;
    let (process, _) = session
        .exec(terminal(&[
            "sh",
            "-c",
            "read x; seq 1 400000; echo flood over; read x",
        ]))
        .await;
    let mut slow = session.attach_as(&process, 7, None, true).await;
    let mut quick = session.attach(&process).await;
    quick.type_in("\n").await;
    quick.sees("flood over").await;
    // The slow one has read nothing so far.
    slow.sees("flood over").await;
    let screen = String::from_utf8_lossy(&slow.snapshots[0].screen).into_owned();
    assert!(
        screen.contains("400000") && screen.contains("flood over"),
        "{screen:?}"
    );
    assert!(slow.out.len() < 1 << 20, "{}", slow.out.len());
    quick.type_in("\n").await;
    assert_eq!(slow.exited().await.exit_code, Some(0));
    session.close().await;
}

#[tokio::test]
async fn others_are_served_while_one_floods() {
    let session = Session::shell().await;
    let (flood, _) = session.exec(terminal(&["yes"])).await;
    let _view = session.attach(&flood).await;
    let (shell, _) = session.exec(terminal(&["cat"])).await;
    let mut client = session.attach(&shell).await;
    let mut took = Vec::new();
    for number in 0..20 {
        let began = Instant::now();
        client.forget();
        client.type_in(&format!("{number}!\n")).await;
        client.sees(&format!("{number}!")).await;
        took.push(began.elapsed());
    }
    // Most of them, as something else may have had the machine at times.
    took.sort();
    assert!(took[10] < Duration::from_secs(5), "{took:?}");
    session.processes.kill(&flood, "pid 1").await.unwrap();
    session.close().await;
}
