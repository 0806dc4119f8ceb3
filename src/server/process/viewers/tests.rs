use futures_util::FutureExt;
use tokio_stream::StreamExt;

use super::super::queue::{Attached, BYTES};
use super::super::replay::Replay;
use super::*;
use crate::term::guard::Terminal;
use crate::term::screen::Screen;

fn screen() -> Output {
    Output::Screen(Box::new(Screen::of(
        Terminal::new(4, 20, 10).answering(true),
        10,
    )))
}

fn attach(viewers: &mut Viewers, output: &Output, pid: u32, read_only: bool) -> Attached {
    attach_as(viewers, output, pid, read_only, false)
}

fn attach_raw(viewers: &mut Viewers, output: &Output, pid: u32) -> Attached {
    attach_as(viewers, output, pid, false, true)
}

fn attach_as(
    viewers: &mut Viewers,
    output: &Output,
    pid: u32,
    read_only: bool,
    raw: bool,
) -> Attached {
    let client = Client {
        pid,
        read_only,
        ..Default::default()
    };
    let start = AttachStart {
        raw,
        ..Default::default()
    };
    let (_, receiver) = viewers.add(&start, client, output, None);
    receiver.attached(tokio::spawn(std::future::pending()))
}

fn drain(attached: &mut Attached) -> Vec<Message> {
    let next = || attached.next().now_or_never().flatten();
    std::iter::from_fn(next)
        .filter_map(|message| message.output)
        .collect()
}

fn viewers() -> Viewers {
    Viewers::new(Arc::new(Notify::new()), None)
}

#[tokio::test]
async fn who_falls_behind_gets_a_screen_and_then_the_end() {
    let (mut viewers, mut output) = (viewers(), screen());
    let mut slow = attach(&mut viewers, &output, 1, false);
    let mut quick = attach(&mut viewers, &output, 2, false);
    drain(&mut quick);
    let line = Bytes::from_static(b"0123456789abcdef\r\n");
    let mut seen = 0;
    for _ in 0..=BYTES / line.len() {
        viewers.terminal(&line);
        if let Output::Screen(screen) = &mut output {
            screen.feed(&line);
        }
        let data = drain(&mut quick).into_iter().map(|message| match message {
            Message::Data(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        });
        seen += data.sum::<usize>();
    }
    assert!(seen > BYTES);
    let exited = Exited {
        exit_code: Some(3),
        reason: String::new(),
    };
    viewers.settle(&output, Some(&exited));
    assert_eq!(drain(&mut quick), [Message::Exited(exited.clone())]);
    let kept = drain(&mut slow);
    assert!(matches!(kept[..], [Message::Presence(_)]), "{kept:?}");
    viewers.settle(&output, Some(&exited));
    let rest = drain(&mut slow);
    assert!(
        matches!(&rest[..], [Message::Snapshot(_), Message::Exited(_)]),
        "{rest:?}"
    );
}

#[tokio::test]
async fn raw_output_of_a_terminal_is_whole_and_held_back_for_its_reader() {
    let mut viewers = Viewers::new(Arc::new(Notify::new()), Some(Replay::new(10)));
    let mut output = screen();
    let print = |viewers: &mut Viewers, output: &mut Output, text: &'static str| {
        let bytes = Bytes::from_static(text.as_bytes());
        viewers.terminal(&bytes);
        if let Output::Screen(screen) = output {
            screen.feed(&bytes);
        }
    };
    print(&mut viewers, &mut output, "\x1b[1mearly\r\n");
    let needed = viewers.needed();
    assert!(!viewers.has_room(needed), "nobody has seen it yet");
    let mut script = attach_raw(&mut viewers, &output, 1);
    let looks = attach(&mut viewers, &output, 2, true);
    let needed = viewers.needed();
    assert!(viewers.has_room(needed), "it is on its way");
    print(&mut viewers, &mut output, "late\r\n");
    viewers.renew();
    let got: Vec<Message> = drain(&mut script)
        .into_iter()
        .filter(|message| !matches!(message, Message::Presence(_)))
        .collect();
    let data = |text: &'static str| Message::Data(Bytes::from_static(text.as_bytes()));
    assert_eq!(got, [data("\x1b[1mearly\r\n"), data("late\r\n")]);
    let exited = Exited {
        exit_code: Some(3),
        reason: String::new(),
    };
    viewers.settle(&output, Some(&exited));
    assert_eq!(drain(&mut script), [Message::Exited(exited)]);

    drop((script, looks));
    viewers.remove_gone();
    let mut late = attach_raw(&mut viewers, &output, 3);
    let first = drain(&mut late).into_iter().next();
    assert!(matches!(first, Some(Message::Snapshot(_))), "{first:?}");
}

#[tokio::test]
async fn raw_output_is_not_held_back_for_who_only_looks_on() {
    let mut viewers = Viewers::new(Arc::new(Notify::new()), Some(Replay::new(2)));
    let output = screen();
    let _looks = attach_as(&mut viewers, &output, 1, true, true);
    let _types = attach(&mut viewers, &output, 2, false);
    viewers.terminal(&Bytes::from_static(b"full"));
    let needed = viewers.needed();
    assert!(viewers.has_room(needed));
}

#[tokio::test]
async fn nothing_raw_is_kept_for_those_who_see_the_screen() {
    let mut viewers = Viewers::new(Arc::new(Notify::new()), Some(Replay::new(2)));
    let output = screen();
    viewers.terminal(&Bytes::from_static(b"full"));
    assert!(!viewers.has_room(0));
    let mut first = attach(&mut viewers, &output, 1, false);
    assert!(matches!(drain(&mut first)[0], Message::Snapshot(_)));
    assert!(viewers.has_room(0));
}

#[tokio::test]
async fn plain_output_is_needed_by_a_single_reader_only() {
    let mut viewers = viewers();
    let mut replay = Replay::new(100);
    replay.push(Stream::Out, Bytes::from_static(b"one"));
    replay.push(Stream::Error, Bytes::from_static(b"two"));
    let output = Output::Plain(replay);
    assert_eq!(viewers.needed(), 0, "nobody has seen anything");
    let mut script = attach(&mut viewers, &output, 1, false);
    let data = drain(&mut script);
    assert_eq!(data[0], Message::Data(Bytes::from_static(b"one")));
    assert_eq!(data[1], Message::ErrorData(Bytes::from_static(b"two")));
    assert_eq!(viewers.needed(), 2);
    let looks = attach(&mut viewers, &output, 2, true);
    assert_eq!(viewers.needed(), 2, "who looks on holds nobody up");
    let other = attach(&mut viewers, &output, 3, false);
    assert_eq!(viewers.needed(), u64::MAX);
    drop((looks, other));
    assert_eq!(viewers.remove_gone().len(), 2);
    assert_eq!(viewers.needed(), 2);
    drop(script);
    viewers.remove_gone();
    assert_eq!(
        viewers.needed(),
        u64::MAX,
        "a detached script lost interest"
    );
}

#[tokio::test]
async fn lost_output_is_said() {
    let mut viewers = viewers();
    let mut replay = Replay::new(3);
    for text in ["one", "two"] {
        replay.trim(u64::MAX);
        replay.push(Stream::Out, Bytes::from_static(text.as_bytes()));
    }
    let output = Output::Plain(replay);
    let mut late = attach(&mut viewers, &output, 1, false);
    let got = drain(&mut late);
    assert!(matches!(&got[0], Message::Notice(text) if text.contains("no longer")));
    assert_eq!(got[1], Message::Data(Bytes::from_static(b"two")));
}

#[test]
fn a_size_is_never_zero_nor_beyond_what_a_terminal_can_have() {
    let size = |rows, cols| cells(&TerminalSize { rows, cols });
    assert_eq!(size(24, 80), Some((24, 80)));
    assert_eq!(size(0, 80), None);
    assert_eq!(size(24, 0), None);
    assert_eq!(size(u32::MAX, 70_000), Some((1000, 1000)));
}

#[test]
fn clients_have_names() {
    let client = |pid, terminal: &str| Client {
        pid,
        terminal: terminal.into(),
        ..Default::default()
    };
    assert_eq!(client(12, "/dev/pts/3").in_words(), "pid 12 on /dev/pts/3");
    assert_eq!(client(12, "").in_words(), "pid 12");
    assert_eq!(client(0, "").in_words(), "somebody");
}
