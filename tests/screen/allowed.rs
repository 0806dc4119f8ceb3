//! Every byte that the screen writes is one that it means to: no sequence of a builder or a container comes through.

use super::{opened, screen};
use crate::support::context::Context;
use crate::support::engine::engine;
use crate::support::shared::Shared;

/// Sequences that the screen may write: the private modes, and the final bytes of the rest.
const MODES: [&str; 8] = ["1049", "7", "25", "1000", "1002", "1004", "1006", "2004"];

/// What is left when everything that is allowed is taken away.
fn forbidden(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw);
    let mut found = Vec::new();
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(|letter: char| letter.is_control() && !"\r\n".contains(letter)) {
        let sequence = &rest[at..];
        let length = allowed(sequence);
        if length == 0 {
            found.push(sequence.chars().take(24).collect());
        }
        let first = sequence.chars().next().map_or(1, char::len_utf8);
        rest = &sequence[length.max(first)..];
    }
    found
}

/// The length of the allowed sequence that a text begins with; 0 if it is none.
fn allowed(text: &str) -> usize {
    if text.starts_with('\x07') {
        return 1;
    }
    let Some(body) = text.strip_prefix("\x1b[") else {
        let title = text
            .strip_prefix("\x1b]2;buildx")
            .or(text.strip_prefix("\x1b]52;c;"));
        let end = title.and_then(|_| text.find("\x1b\\"));
        return match end {
            Some(end) if !text[1..end].contains(char::is_control) => end + 2,
            _ => 0,
        };
    };
    let Some(end) = body.find(|letter: char| ('@'..='~').contains(&letter)) else {
        return 0;
    };
    let (parameters, last) = (&body[..end], body.as_bytes()[end]);
    let fine = match last {
        b'h' | b'l' => parameters
            .strip_prefix('?')
            .is_some_and(|mode| mode == "2026" || MODES.contains(&mode)),
        b'm' => parameters
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b";:".contains(&byte)),
        b'H' => parameters
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b';'),
        b'J' => parameters == "2",
        b'q' => parameters.ends_with(' '),
        b't' => ["22;0", "23;0"].contains(&parameters),
        // Keys told apart, and no more.
        b'u' => [">1", "<"].contains(&parameters),
        _ => false,
    };
    if fine {
        text.len() - body.len() + end + 1
    } else {
        0
    }
}

#[test]
fn the_list_itself() {
    assert_eq!(
        forbidden(b"\x1b[?1049h\x1b[1;2Hplain\x1b[0;31m\x1b]2;buildx: a\x1b\\\x07"),
        Vec::<String>::new()
    );
    for bad in [
        "\x1b[?47h",
        "\x1b[>3u",
        "\x1b]0;x\x07",
        "\x1b[5n",
        "\x1bc",
        "\x1b]52;p;!\x1b\\",
        "\x0e",
        "\u{9b}5n",
    ] {
        assert!(!forbidden(bad.as_bytes()).is_empty(), "{bad:?}");
    }
}

#[test]
fn hostile_output_of_steps_and_programs_stays_inside() {
    let server = Shared::on(engine());
    let id = buildx::engine::id::new_id().unwrap();
    let context = Context::busybox(&format!(
        "WORKDIR /srv/app\n\
         RUN printf '\\033]0;stolen\\007\\033[2J\\033[?47h\\033[5n\\233m\\016 sho''wn \\033[31mred\\033[m\\n'; : {id}; exit 3\n"
    ));
    let mut pty = opened(&server, &context, 40, 120);
    pty.wait_until("the log", |screen| screen.contains("shown"));
    pty.send("printf '\\033]0;mine\\007\\033[c\\033P+q\\033\\\\ \\033[?1003h\\033[5n\\nend-%s\\n' here\r");
    pty.wait_until("the program", |screen| screen.contains("end-here"));
    pty.send("\x01q");
    pty.wait();
    assert_eq!(forbidden(pty.raw()), Vec::<String>::new());
    let mut again = screen(&server, &[], 60, 200);
    again.wait_until("the session", |screen| screen.contains("FAILED"));
    again.send("?");
    again.send("q");
    again.send("q");
    again.wait();
    assert_eq!(forbidden(again.raw()), Vec::<String>::new());
}
