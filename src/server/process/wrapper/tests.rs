//! The scripts in this machine's shells.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use super::super::marker::{Piece, Reports};
use super::*;
use bytes::Bytes;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

const NONCE: &str = "0123456789abcdefghijklmno";

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The shells of this machine; there is at least one.
fn shells() -> Vec<Vec<String>> {
    [
        &["/bin/sh"][..],
        &["/bin/bash"],
        &["/bin/dash"],
        &["/bin/busybox", "sh"],
    ]
    .into_iter()
    .filter(|shell| std::path::Path::new(shell[0]).exists())
    .map(strings)
    .collect()
}

fn run(arguments: &[String]) -> Output {
    let (program, rest) = arguments.split_first().unwrap();
    Command::new(program).args(rest).output().unwrap()
}

/// Output without reports, and what they say.
fn split(bytes: &[u8]) -> (String, Vec<Said>) {
    let mut reports = Reports::new(NONCE);
    let (mut output, mut texts) = (Vec::new(), Vec::new());
    for piece in reports.push(Bytes::copy_from_slice(bytes)) {
        match piece {
            Piece::Output(bytes) => output.extend(bytes),
            Piece::Report(text) => texts.push(said(&text).unwrap()),
        }
    }
    (String::from_utf8(output).unwrap(), texts)
}

#[test]
fn a_wrapper_ends_well_and_reports_how_its_program_ended() {
    for shell in shells() {
        for (command, code) in [
            ("exit 0", 0),
            ("exit 7", 7),
            ("kill -9 $$", 137),
            ("kill -INT $$", 130),
        ] {
            let program = strings(&[
                "/bin/sh",
                "-c",
                &format!("echo out; echo err >&2; {command}"),
            ]);
            let output = run(&wrapped(&shell, NONCE, &program, false));
            assert!(output.status.success(), "{shell:?} {command}");
            let (out, reports) = split(&output.stdout);
            assert_eq!(out, "out\n");
            assert!(matches!(reports[0], Said::Started { .. }), "{reports:?}");
            assert_eq!(reports[1..], [Said::Ended(code)], "{shell:?} {command}");
            let (error, reports) = split(&output.stderr);
            assert_eq!(error, "err\n", "{shell:?} {command}");
            assert_eq!(reports, [Said::Quiet]);
        }
    }
}

#[test]
fn a_program_that_is_not_there_has_the_usual_codes() {
    for shell in shells() {
        for (program, code) in [("/nothing/of/that/name", 127), ("/etc/passwd", 126)] {
            let output = run(&wrapped(&shell, NONCE, &strings(&[program]), false));
            assert!(output.status.success());
            assert_eq!(
                split(&output.stdout).1.last(),
                Some(&Said::Ended(code)),
                "{shell:?}"
            );
            assert!(split(&output.stderr).0.contains(program), "{shell:?}");
        }
    }
}

#[test]
fn arguments_and_variables_arrive_as_they_are() {
    let words = [
        "/usr/bin/printf",
        "%s|",
        "a b",
        "",
        "$HOME",
        "'\"\\",
        "-n",
        "*",
    ];
    for shell in shells() {
        let output = run(&wrapped(&shell, NONCE, &strings(&words), false));
        assert_eq!(
            split(&output.stdout).0,
            "a b||$HOME|'\"\\|-n|*|",
            "{shell:?}"
        );
        let program = strings(&["/bin/sh", "-c", "echo ${n-unset} ${c-unset} ${s-unset}"]);
        let output = run(&wrapped(&shell, NONCE, &program, false));
        assert_eq!(split(&output.stdout).0, "unset unset unset\n", "{shell:?}");
    }
}

/// A program with a terminal in a wrapper, until the wrapper has stopped.
fn stopped(shell: &[String]) -> Child {
    let arguments = wrapped(shell, NONCE, &strings(&["/bin/true"]), true);
    let wrapper = Command::new(&arguments[0])
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&wrapper);
    // Seen, and left to be seen by who waits for the end.
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let state = waitid(WaitId::Pid(pid), options).unwrap().unwrap();
    assert!(state.stopped(), "{shell:?}");
    wrapper
}

#[test]
fn a_wrapper_with_a_terminal_is_let_go_by_the_keeper() {
    for shell in shells() {
        let mut ready = stopped(&shell);
        let mut full = stopped(&shell);
        let (mut keeper, mut input) = keeping(&shell);
        let lines = format!("f {}\nd {} aword\n", ready.id(), full.id());
        input.write_all(lines.as_bytes()).unwrap();
        assert!(ready.wait().unwrap().success(), "{shell:?}");
        let mut unread = full.stdin.take().unwrap();
        unread.write_all(&[b'x'; 100_000]).unwrap();
        assert_eq!(full.try_wait().unwrap(), None, "{shell:?}");
        unread.write_all(b"\naword\n").unwrap();
        assert!(full.wait().unwrap().success(), "{shell:?}");
        drop(input);
        assert!(keeper.wait().unwrap().success(), "{shell:?}");
    }
}

#[test]
fn what_no_wrapper_says_is_nothing() {
    assert_eq!(
        said("s;12;7"),
        Some(Said::Started {
            pid: 12,
            session: 7
        })
    );
    assert_eq!(said("e;300"), Some(Said::Ended(300)));
    for text in [
        "",
        "s",
        "s;1",
        "s;x;1",
        "e;x",
        "e;1;2",
        "s;1;2;3",
        "ready",
        "e;99999999999",
    ] {
        assert_eq!(said(text), None, "{text}");
    }
}

/// A keeper, and the way to it.
fn keeping(shell: &[String]) -> (Child, ChildStdin) {
    let arguments = keeper(shell, NONCE);
    let mut keeper = Command::new(&arguments[0])
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = keeper.stdin.take().unwrap();
    (keeper, input)
}

#[test]
fn a_keeper_answers_each_line_and_ends_with_its_input() {
    for shell in shells() {
        let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
        let (process, mut input) = keeping(&shell);
        let lines = format!(
            "c - - /etc\nc root root /etc\nc nobody-here - /etc\nc - nobody-here /etc\nc - - /etc/passwd\n\
             s TERM 999999999\ns TERM {}\nodd words\n",
            sleeper.id()
        );
        input.write_all(lines.as_bytes()).unwrap();
        drop(input);
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{shell:?}");
        let mut reports = Reports::new(NONCE);
        let pieces = reports.push(Bytes::from(output.stdout));
        let said: Vec<String> = answers(pieces).collect();
        assert_eq!(said.len(), 9, "{shell:?} {said:?}");
        assert_eq!(
            said[..6],
            ["ready", "ok", "ok", "user", "group", "path"],
            "{shell:?}"
        );
        assert_ne!(said[6], "0");
        assert_eq!(said[7], "0");
        assert!(!sleeper.wait().unwrap().success());
    }
}
