//! What real programs wrote, on our screen and on tmux's, cell by cell.
//!
//! `scripts/streams` records the programs and asks tmux; here nobody needs either.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;

use buildx::proto::controller::attach_output::Output;
use buildx::tui::shell::screen::{Look, paint};
use buildx::tui::shell::terminal::ShellTerminal;
use ratatui::buffer::{Buffer, Cell, CellDiffOption};
use ratatui::layout::Rect;

mod answers;

use answers::{Screen, Seen};

/// Cells in which we differ from tmux 3.3a.
struct Difference {
    stream: &'static str,
    /// Numbers of the screens, from 0.
    moments: RangeInclusive<usize>,
    rows: RangeInclusive<u16>,
    cols: RangeInclusive<u16>,
    /// Why that is so.
    reason: &'static str,
}

const UNKNOWN: &str = "blinking, hidden and struck text, which vt100 does not know";
const INSERT: &str = "insert mode (IRM), which vt100 does not know: text is written over";
const WRAP: &str = "a line that may not wrap (DECAWM), which vt100 does not know: it wraps";
const STOPS: &str =
    "tab stops of the program's own, which vt100 does not know: they stay at every eighth column";
const RESET: &str =
    "a soft reset (DECSTR), which with xterm ends attributes, and with tmux does not";

const fn cells(
    moments: RangeInclusive<usize>,
    row: u16,
    cols: RangeInclusive<u16>,
    reason: &'static str,
) -> Difference {
    Difference {
        stream: "sequences",
        moments,
        rows: row..=row,
        cols,
        reason,
    }
}

/// All of them are in what programs write seldom.
const DIFFERENCES: &[Difference] = &[
    cells(0..=0, 0, 6..=6, UNKNOWN),
    cells(0..=0, 0, 16..=16, UNKNOWN),
    cells(0..=0, 0, 25..=25, UNKNOWN),
    cells(0..=0, 1, 11..=14, INSERT),
    cells(0..=0, 2, 59..=59, WRAP),
    cells(0..=0, 6, 11..=18, RESET),
    cells(0..=0, 8, 8..=9, STOPS),
    // Scrolled by two lines.
    cells(1..=1, 0, 59..=59, WRAP),
    cells(1..=1, 4, 11..=18, RESET),
    cells(1..=1, 6, 8..=9, STOPS),
];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams");
    std::fs::read(path.join(name)).unwrap()
}

/// A row of painted cells as a person sees them.
fn seen(cells: &[Cell]) -> Vec<Seen> {
    let is_wide =
        |cell: &Cell| matches!(cell.diff_option, CellDiffOption::ForcedWidth(n) if n.get() == 2);
    let mut half = false;
    let cell = |cell: &Cell| {
        let text = if half { "" } else { cell.symbol() };
        half = is_wide(cell);
        Seen::new(text, cell.fg, cell.bg, cell.modifier)
    };
    cells.iter().map(cell).collect()
}

/// A line for each difference, and for each listed one that is none any more.
fn compare(name: &str) -> String {
    let recorded = fixture(&format!("{name}.bytes"));
    let moments = answers::read(&fixture(&format!("{name}.screens")));
    assert!(moments.len() > 1);
    let mut terminal = ShellTerminal::new(moments[0].rows, moments[0].cols, true);
    let mut fed = 0;
    let mut report = String::new();
    for (moment, theirs) in moments.iter().enumerate() {
        // In pieces, as output comes.
        for piece in recorded[fed..theirs.byte].chunks(1000) {
            terminal.push(Output::Data(piece.to_vec().into()));
        }
        fed = theirs.byte;
        terminal.advance(Instant::now(), || true);
        let known = |row, col| {
            DIFFERENCES.iter().find(|one| {
                one.stream == name
                    && one.moments.contains(&moment)
                    && one.rows.contains(&row)
                    && one.cols.contains(&col)
            })
        };
        for line in differences(&terminal, theirs, known) {
            let _ = writeln!(report, "{name}, screen {moment}, {line}");
        }
    }
    report
}

fn differences(
    terminal: &ShellTerminal,
    theirs: &Screen,
    known: impl Fn(u16, u16) -> Option<&'static Difference>,
) -> Vec<String> {
    let area = Rect::new(0, 0, theirs.cols, theirs.rows);
    let mut buffer = Buffer::empty(area);
    let painted = paint(terminal.screen(), area, &mut buffer, &Look::default());
    let mut found = Vec::new();
    let cursor = painted.cursor.map(|(at, _)| (at.y, at.x));
    // tmux tells of a cursor that waits behind the last column that it is there.
    let (row, col) = theirs.cursor;
    let told = theirs.visible.then_some((row, col.min(theirs.cols - 1)));
    if cursor != told {
        found.push(format!("cursor: {cursor:?} instead of {told:?}"));
    }
    if terminal.screen().alternate_screen() != theirs.alternate {
        found.push("the other screen of the two".to_string());
    }
    let ours = buffer.content.chunks(usize::from(theirs.cols));
    for ((row, ours), theirs) in (0..).zip(ours).zip(&theirs.cells) {
        for ((col, ours), theirs) in (0..).zip(seen(ours)).zip(theirs) {
            match known(row, col) {
                Some(one) if ours == *theirs => {
                    found.push(format!("row {row}, column {col}: no longer {}", one.reason));
                }
                None if ours != *theirs => {
                    found.push(format!(
                        "row {row}, column {col}: {ours:?} instead of {theirs:?}"
                    ));
                }
                _ => {}
            }
        }
    }
    found
}

/// One test for each recording, which cannot be forgotten: the list is checked against the directory.
macro_rules! streams {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let report = compare(stringify!($name));
                assert!(report.is_empty(), "\n{report}");
            }
        )*

        #[test]
        fn every_recording_is_compared() {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams");
            let mut recorded: Vec<String> = std::fs::read_dir(path)
                .unwrap()
                .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
                .filter_map(|name| name.strip_suffix(".bytes").map(str::to_string))
                .collect();
            recorded.sort();
            assert_eq!(recorded, [$(stringify!($name)),*]);
        }
    };
}

streams!(apt, bash, cargo, cmake, htop, less, mc, npm, sequences, vim);
