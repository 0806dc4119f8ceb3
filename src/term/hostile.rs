//! Streams of bytes for the tests of this room, well-behaved and hostile ones.
//!
//! `BUILDX_FUZZ_CASES=100000 cargo test --lib term::` runs that many cases of each property instead of a few
//! seconds' worth, `BUILDX_FUZZ_SEED=n` other ones than every time.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// How a property is run: `cases` times with the same cases every time, unless the environment says otherwise.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let cases = number("BUILDX_FUZZ_CASES")
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(number("BUILDX_FUZZ_SEED").unwrap_or(7)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

/// Bytes that a failed test prints readably.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stream(pub(crate) Vec<u8>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl std::ops::Deref for Stream {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

fn bytes(text: &str) -> BoxedStrategy<Vec<u8>> {
    Just(text.as_bytes().to_vec()).boxed()
}

fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Vec<u8>> {
    proptest::sample::select(texts)
        .prop_map(|text| text.as_bytes().to_vec())
        .boxed()
}

/// Sequences that programs write, and text as it stands in a terminal. Numbers stay near a small grid.
fn common_piece() -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![Just(String::new()), (0u16..30).prop_map(|n| n.to_string())];
    let moving = (
        number.clone(),
        proptest::sample::select(&b"ABCDEFGdLMPSTX@`ae"[..]),
    )
        .prop_map(|(n, last)| format!("\x1b[{n}{}", char::from(last)).into_bytes());
    // Programs repeat what they have just written.
    let repeating =
        ("[a-z世]", number.clone()).prop_map(|(c, n)| format!("{c}\x1b[{n}b").into_bytes());
    let placing = (
        number.clone(),
        number.clone(),
        proptest::sample::select(&b"Hfr"[..]),
    )
        .prop_map(|(a, b, last)| format!("\x1b[{a};{b}{}", char::from(last)).into_bytes());
    prop_oneof![
        6 => "[ -~]{0,25}".prop_map(String::into_bytes),
        2 => "[a-c世界é]{0,12}".prop_map(String::into_bytes),
        3 => one_of(&["\r\n", "\n", "\r", "\t", "\x08", "e\u{301}", "─│┌", "\u{fffd}"]),
        3 => moving,
        3 => placing,
        1 => repeating,
        2 => one_of(&["\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[K", "\x1b[1K", "\x1b[2K"]),
        3 => one_of(&[
            "\x1b[m", "\x1b[0;1m", "\x1b[31m", "\x1b[4;42m", "\x1b[7m", "\x1b[27;22m", "\x1b[38;5;200m",
            "\x1b[48;2;1;2;3m", "\x1b[38:2::9:8:7m", "\x1b[4:3m", "\x1b[58;5;1m", "\x1b[2;3m", "\x1b[97;100m",
        ]),
        2 => one_of(&["\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b8", "\x1b[s", "\x1b[u", "\x1b[2I", "\x1b[Z"]),
        2 => one_of(&["\x1b[?1049h", "\x1b[?1049l", "\x1b[?1048h", "\x1b[?1048l"]),
        2 => one_of(&[
            "\x1b[?25l", "\x1b[?25h", "\x1b[?1h", "\x1b[?1l", "\x1b=", "\x1b>", "\x1b[?2004h", "\x1b[?2004l",
            "\x1b[?1000h", "\x1b[?1002;1006h", "\x1b[?1000l", "\x1b[?1006l", "\x1b[5 q", "\x1b[ q", "\x1b[?7h",
            "\x1b[?1004h", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?12l", "\x1b[!p",
        ]),
        1 => one_of(&["\x1b(0lqqk\x1b(B", "\x1b(0", "\x1b(B", "\x1b)0", "\x0e", "\x0f"]),
        1 => one_of(&["\x1b]0;a title\x07", "\x1b]2;other\x1b\\", "\x07"]),
    ]
    .boxed()
}

/// What a program on a terminal of about 20 columns could write.
pub(crate) fn common() -> BoxedStrategy<Stream> {
    proptest::collection::vec(common_piece(), 0..40)
        .prop_map(|pieces| Stream(pieces.concat()))
        .boxed()
}

/// Anything: broken, endless, huge and misleading sequences between common ones.
pub(crate) fn hostile() -> BoxedStrategy<Stream> {
    let number = prop_oneof![
        Just(String::new()),
        (0u32..100).prop_map(|n| n.to_string()),
        any::<u32>().prop_map(|n| n.to_string()),
        Just("65535".to_string()),
    ];
    let control = (
        "[<=>?]?",
        proptest::collection::vec((number, "[;:]?"), 0..5),
        "[ !$]?",
        proptest::sample::select((0x40..0x7f).collect::<Vec<u8>>()),
    )
        .prop_map(|(private, numbers, intermediate, last)| {
            let numbers: String = numbers.into_iter().map(|(n, s)| n + &s).collect();
            format!("\x1b[{private}{numbers}{intermediate}{}", char::from(last)).into_bytes()
        });
    let mode = (0u16..2100, proptest::bool::ANY)
        .prop_map(|(n, on)| format!("\x1b[?{n}{}", if on { 'h' } else { 'l' }).into_bytes());
    let piece = prop_oneof![
        8 => common_piece(),
        4 => control,
        1 => mode,
        2 => proptest::collection::vec(any::<u8>(), 0..12),
        2 => one_of(&[
            "\u{26a0}\u{fe0f}", "\u{2764}\u{fe0f}\u{fe0f}", "\u{fe0f}", "\u{fe0e}", "\u{1f468}\u{200d}\u{1f469}",
            "\u{202e}", "\u{3164}", "\u{115f}", "\u{9b}", "\u{85}", "\u{ad}", "\u{17d8}", "\u{feff}", "\u{e0041}",
            "\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        ]),
        2 => one_of(&[
            "\x1b", "\x1b[", "\x1b[3", "\x1b[?", "\x1b[38;2", "\x1b]", "\x1b]0;x", "\x1bP1$r", "\x1b_x", "\x1bX",
            "\x1b^", "\x1b\\", "\x18", "\x1a", "\x1b(", "\x1b#8", "\x1bc", "\x1b ", "\x1b  F", "\x1b[?6h", "\x1b[?47h", "\x1b[?47l", "\x1b[?1047h", "\x1b[?1047l", "\x1b[?6l",
        ]),
        1 => one_of(&[
            "\x1b[c", "\x1b[>c", "\x1b[6n", "\x1b[18t", "\x1b[?2004$p", "\x1b[>q", "\x1b[?u", "\x1b[>5u", "\x1b[<u",
            "\x1b]10;?\x07", "\x1b]11;?\x1b\\", "\x1b]4;1;?;2;?\x07", "\x1b]52;c;aGk=\x07", "\x1b]52;c;?\x07",
        ]),
        1 => (any::<u8>(), 1usize..2000).prop_map(|(byte, n)| vec![byte; n]),
        1 => bytes("\x1b[65535b"),
    ];
    proptest::collection::vec(piece, 0..40)
        .prop_map(|pieces| Stream(pieces.concat()))
        .boxed()
}

/// A stream in pieces, cut at arbitrary places.
pub(crate) fn cut(stream: &[u8], cuts: &[proptest::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places
        .iter()
        .zip(places.iter().skip(1))
        .filter_map(|(start, end)| stream.get(*start..*end))
        .map(<[u8]>::to_vec)
        .collect()
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<proptest::sample::Index>> {
    proptest::collection::vec(any::<proptest::sample::Index>(), 0..12)
}
