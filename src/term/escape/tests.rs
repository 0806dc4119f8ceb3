use proptest::prelude::*;

use super::*;

fn filtered(colours: bool, chunks: &[&[u8]]) -> String {
    let mut out = String::new();
    let mut filter = Filter::new(colours);
    for chunk in chunks {
        filter.push(chunk, &mut out);
    }
    filter.finish(&mut out);
    out
}

#[test]
fn text_newlines_and_tabs_stay() {
    let text = "grüße\t世界\nzweite Zeile\r\n";
    assert_eq!(
        filtered(false, &[text.as_bytes()]),
        "grüße\t世界\nzweite Zeile\n"
    );
}

#[test]
fn colours_are_closed_at_the_line_end_and_taken_up_again() {
    let red = b"\x1b[31mone\ntwo\x1b[0m three";
    assert_eq!(
        filtered(true, &[red]),
        "\x1b[0;31mone\x1b[0m\n\x1b[0;31mtwo\x1b[0m three"
    );
    assert_eq!(filtered(false, &[red]), "one\ntwo three");
}

#[test]
fn extended_colours_are_written_anew() {
    assert_eq!(
        filtered(true, &[b"\x1b[1;38;5;200;48:2::1:2:3mx"]),
        "\x1b[0;1;38;5;200;48;2;1;2;3mx\x1b[0m"
    );
    // Concealed and blinking text stays readable, absurd parameters are ignored.
    assert_eq!(filtered(true, &[b"\x1b[8;5;99999mx"]), "x");
}

#[test]
fn other_sequences_are_shown() {
    assert_eq!(filtered(true, &[b"a\x1b]0;title\x07b"]), "a^[]0;title^Gb");
    assert_eq!(filtered(true, &[b"\x1b[2Jx\x1b[1;1H"]), "^[[2Jx^[[1;1H");
    assert_eq!(filtered(true, &[b"\x1bP1$r\x1b\\"]), "^[P1$r^[\\");
    assert_eq!(filtered(true, &[b"\x9b31m\xc2\x9b"]), "\\x9b31m\\u{9b}");
    assert_eq!(
        filtered(true, &["a\u{202e}b\u{200d}".as_bytes()]),
        "a\\u{202e}b\\u{200d}"
    );
    assert_eq!(filtered(true, &[b"end\x1b[3"]), "end^[[3");
    for (joined, parts) in [
        ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{1f469}"),
        (
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{2764}\u{fe0f}\u{1f525}",
        ),
        ("\u{645}\u{6cc}\u{200c}\u{62e}", "\u{645}\u{6cc}\u{62e}"),
        ("\u{e9}\u{200d}\u{200d}", "\u{e9}\\u{200d}"),
        ("\u{e9}\n\u{200d}", "\u{e9}\n\\u{200d}"),
    ] {
        assert_eq!(filtered(true, &[joined.as_bytes()]), parts);
    }
    assert_eq!(filtered(false, &[b"\x08\x7f\x00"]), "^H^?^@");
}

#[test]
fn erase_in_line_is_dropped_and_a_lone_return_is_a_rewrite() {
    assert_eq!(filtered(false, &[b"10%\r\x1b[K20%\n"]), "10%^M20%\n");
}

#[test]
fn an_endless_sequence_is_not_held_back() {
    let mut out = String::new();
    let mut filter = Filter::new(true);
    filter.push(b"\x1b[", &mut out);
    for _ in 0..1000 {
        filter.push(b"1;", &mut out);
    }
    assert!(out.len() > 1900, "{}", out.len());
    assert!(out.starts_with("^[[1;1;"));
}

#[test]
fn stacks_of_marks_are_cut() {
    let zalgo = format!("e{}", "\u{301}".repeat(50));
    let out = filtered(false, &[zalgo.as_bytes()]);
    assert_eq!(out.chars().filter(|c| *c == '\u{301}').count(), 8);
}

#[test]
fn a_name_stays_on_its_line() {
    assert_eq!(line("RUN a\nb\r\x1b[31mc"), "RUN a^Jb^Mc");
    assert!(matches!(line("RUN a"), Cow::Borrowed(_)));
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b[31m".to_vec()),
        Just(b"\x1b[0m".to_vec()),
        Just(b"\x1b]8;;http://x\x1b\\".to_vec()),
        Just("\u{9b}\u{202e}世e\u{301}".as_bytes().to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
        "[0-9;:mKJ]{0,6}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat())
}

proptest! {
    #[test]
    fn nothing_but_text_comes_out(input in hostile()) {
        for c in filtered(false, &[&input]).chars() {
            prop_assert!(c == '\n' || c == '\t' || (c >= ' ' && c != '\x7f' && !is_hidden(c)), "{c:?}");
        }
    }

    #[test]
    fn nothing_but_text_and_colours_comes_out(input in hostile()) {
        let out = filtered(true, &[&input]);
        let colours = regex::Regex::new("\x1b\\[[0-9;]{1,60}m").unwrap();
        for c in colours.replace_all(&out, "").chars() {
            prop_assert!(c == '\n' || c == '\t' || (c >= ' ' && c != '\x7f' && !is_hidden(c)), "{c:?}");
        }
        // Every line that is coloured ends reset.
        for line in out.lines() {
            if let Some(last) = colours.find_iter(line).last() {
                prop_assert_eq!(last.as_str(), "\x1b[0m");
            }
        }
    }

    #[test]
    fn chunks_make_no_difference(input in hostile(), cuts in proptest::collection::vec(0usize..200, 0..10), colours: bool) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= input.len()).collect();
        cuts.push(0);
        cuts.push(input.len());
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &input[w[0]..w[1]]).collect();
        prop_assert_eq!(filtered(colours, &chunks), filtered(colours, &[&input]));
    }
}
