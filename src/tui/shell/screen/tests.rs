use proptest::prelude::*;

use super::*;
use crate::term::guard::Terminal;
use crate::term::hostile;

fn terminal(rows: u16, cols: u16, output: &str) -> Terminal {
    let mut terminal = Terminal::new(rows, cols, 100);
    terminal.feed(output.as_bytes());
    terminal
}

fn painted(terminal: &Terminal, area: Rect, look: &Look) -> (Buffer, Painted) {
    let mut buffer = Buffer::filled(area, Cell::new("#"));
    let painted = paint(terminal.screen(), area, &mut buffer, look);
    (buffer, painted)
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let text = |line: &[Cell]| line.iter().map(Cell::symbol).collect();
    buffer.content.chunks(width).map(text).collect()
}

fn size(width: u16, height: u16) -> Rect {
    Rect::new(0, 0, width, height)
}

#[test]
fn every_attribute_and_colour_is_kept() {
    let output =
        "\x1b[1;31;44ma\x1b[0;2;38;5;200mb\x1b[0;3;48;2;1;2;3mc\x1b[0;4md\x1b[0;7;97me\x1b[mf";
    let (buffer, _) = painted(&terminal(1, 7, output), size(7, 1), &Look::default());
    let expected = [
        ("a", Color::Indexed(1), Color::Indexed(4), Modifier::BOLD),
        ("b", Color::Indexed(200), Color::Reset, Modifier::DIM),
        ("c", Color::Reset, Color::Rgb(1, 2, 3), Modifier::ITALIC),
        ("d", Color::Reset, Color::Reset, Modifier::UNDERLINED),
        ("e", Color::Indexed(15), Color::Reset, Modifier::REVERSED),
        ("f", Color::Reset, Color::Reset, Modifier::empty()),
        (" ", Color::Reset, Color::Reset, Modifier::empty()),
    ];
    for (cell, (symbol, front, back, modifier)) in buffer.content.iter().zip(expected) {
        assert_eq!(
            (cell.symbol(), cell.fg, cell.bg, cell.modifier),
            (symbol, front, back, modifier)
        );
    }
}

/// As on any terminal with `bce`.
#[test]
fn erased_cells_have_the_background_alone() {
    let terminal = terminal(1, 4, "\x1b[4;7;31;42m \x1b[K");
    let (buffer, _) = painted(&terminal, size(4, 1), &Look::default());
    let looks = |cell: &Cell| (cell.bg, cell.modifier);
    let all = Modifier::REVERSED | Modifier::UNDERLINED;
    let green = Color::Indexed(2);
    assert_eq!(looks(&buffer.content[0]), (green, all));
    assert_eq!(looks(&buffer.content[1]), (green, Modifier::empty()));
}

#[test]
fn colours_are_mapped_down_for_lesser_terminals() {
    let terminal = terminal(1, 2, "\x1b[38;2;255;0;0ma\x1b[48;5;196mb");
    let look = Look {
        depth: Depth::Sixteen,
        ..Look::default()
    };
    let (buffer, _) = painted(&terminal, size(2, 1), &look);
    let colours: Vec<_> = buffer
        .content
        .iter()
        .map(|cell| (cell.fg, cell.bg))
        .collect();
    let red = Color::Indexed(9);
    assert_eq!(colours, [(red, Color::Reset), (red, red)]);
}

#[test]
fn wide_characters_are_whole_or_not_there() {
    let terminal = terminal(1, 6, "a世b界");
    let (buffer, _) = painted(&terminal, size(6, 1), &Look::default());
    assert_eq!(lines(&buffer), ["a世 b界 "]);
    let widths: Vec<_> = buffer.content.iter().map(|cell| cell.diff_option).collect();
    assert_eq!(widths, [NARROW, WIDE, NARROW, NARROW, WIDE, NARROW]);
    // Cut in the middle of the first, then of the second.
    let look = Look {
        cursor: Cursor::At(0, 0),
        ..Look::default()
    };
    assert_eq!(lines(&painted(&terminal, size(2, 1), &look).0), ["a "]);
    let look = Look {
        cursor: Cursor::At(0, 5),
        ..Look::default()
    };
    let (buffer, painted) = painted(&terminal, size(4, 1), &look);
    assert_eq!(painted.origin, (0, 2));
    assert_eq!(lines(&buffer), [" b界 "]);
}

#[test]
fn what_the_grid_does_not_cover_is_filled() {
    let look = Look {
        outside: Some(('·', Style::new().fg(Color::DarkGray))),
        ..Look::default()
    };
    let (buffer, _) = painted(&terminal(1, 2, "ab"), size(4, 2), &look);
    assert_eq!(lines(&buffer), ["ab··", "····"]);
    assert_eq!(buffer.content[2].fg, Color::DarkGray);
    let (buffer, _) = painted(&terminal(1, 2, "ab"), size(3, 2), &Look::default());
    assert_eq!(lines(&buffer), ["ab ", "   "]);
}

#[test]
fn a_larger_grid_is_cut_so_that_the_cursor_is_seen() {
    let terminal = terminal(4, 6, "111111\r\n222222\r\n333333\r\n44");
    let (buffer, painted) = painted(&terminal, size(3, 2), &Look::default());
    assert_eq!(lines(&buffer), ["333", "44 "]);
    assert_eq!(painted.origin, (2, 0));
    let (at, _) = painted.cursor.unwrap();
    assert_eq!(at, Position::new(2, 1));
    let from = |from| corner(terminal.screen(), Cursor::At(2, 2), from, (2, 3));
    assert_eq!([from((0, 0)), from((2, 2))], [(1, 0), (2, 2)]);
    // Never beyond the grid, never behind the cursor.
    assert_eq!(from((9, 9)), (2, 2));
}

#[test]
fn the_cursor_is_told_with_its_shape_and_not_painted() {
    let mut terminal = terminal(2, 4, "ab\x1b[6 q");
    let cursor = |terminal: &Terminal| {
        let area = Rect::new(3, 1, 4, 2);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 5));
        paint(terminal.screen(), area, &mut buffer, &Look::default()).cursor
    };
    let expected = (Position::new(5, 1), CursorStyle::SteadyVerticalBar);
    assert_eq!(cursor(&terminal), Some(expected));
    // Behind the last column it is shown on it.
    terminal.feed(b"cd");
    assert_eq!(cursor(&terminal).unwrap().0, Position::new(6, 1));
    terminal.feed(b"\x1b[?25l");
    assert_eq!(cursor(&terminal), None);
    terminal.feed(b"\x1b[?25h\n\n\n\n");
    assert!(cursor(&terminal).is_some());
    terminal.scroll_to(1);
    assert_eq!(cursor(&terminal), None);
}

#[test]
fn looking_back_shows_the_scrollback() {
    let mut terminal = terminal(2, 2, "1\r\n2\r\n3\r\n4");
    terminal.scroll_to(1);
    let (buffer, _) = painted(&terminal, size(2, 2), &Look::default());
    assert_eq!(lines(&buffer), ["2 ", "3 "]);
}

#[test]
fn marks_take_whole_characters() {
    let terminal = terminal(2, 6, "a世b界\r\nxyz");
    let style = Style::new().bg(Color::Yellow);
    let marked = |columns, row| {
        let (mut buffer, painted) = painted(&terminal, size(6, 2), &Look::default());
        let marks = [Mark {
            row,
            columns,
            style,
        }];
        mark(&painted, size(6, 2), &mut buffer, &marks);
        let shown = |cell: &Cell| if cell.bg == Color::Yellow { 'y' } else { '.' };
        buffer.content.iter().map(shown).collect::<String>()
    };
    assert_eq!(marked(0..1, 0), "y...........");
    assert_eq!(marked(0..2, 0), "yyy.........");
    assert_eq!(marked(2..4, 0), ".yyy........");
    assert_eq!(marked(1..u16::MAX, 1), ".......yyyyy");
    assert_eq!(marked(0..3, 7), "............");
    assert_eq!(marked(9..12, 0), "............");
}

#[test]
fn nothing_outside_of_the_area_is_touched() {
    let terminal = terminal(3, 8, "\x1b[41mabcdefgh\r\nabcdefgh\r\nabcdefgh");
    let whole = Rect::new(2, 1, 6, 4);
    for area in [
        Rect::new(3, 2, 3, 2),
        Rect::new(0, 0, 4, 3),
        Rect::new(6, 3, 50, 50),
        Rect::new(100, 100, 5, 5),
    ] {
        let mut buffer = Buffer::filled(whole, Cell::new("#"));
        paint(terminal.screen(), area, &mut buffer, &Look::default());
        for at in whole.positions() {
            let outside = buffer.cell(at).unwrap().symbol() == "#";
            assert_eq!(outside, !area.contains(at), "{area} {at}");
        }
    }
}

proptest! {
    #![proptest_config(hostile::config(300))]

    /// Any screen in any area, cut, marked and scrolled anywhere.
    #[test]
    fn painting_never_fails(
        stream in hostile::hostile(),
        grid in (1u16..12, 1u16..30),
        area in (0u16..20, 0u16..20, 0u16..40, 0u16..20),
        back in 0usize..60,
        cursor: Option<(u16, u16)>,
        columns: (u16, u16),
    ) {
        let mut terminal = Terminal::new(grid.0, grid.1, 50);
        terminal.feed(&stream);
        terminal.scroll_to(back);
        let whole = Rect::new(1, 2, 20, 10);
        let mut buffer = Buffer::filled(whole, Cell::new("#"));
        let area = Rect::new(area.0, area.1, area.2, area.3);
        let look = Look {
            from: (0, 0),
            cursor: cursor.map_or(Cursor::Program, |(row, col)| Cursor::At(row, col)),
            outside: Some(('·', Style::new())),
            depth: Depth::Indexed,
        };
        let painted = paint(terminal.screen(), area, &mut buffer, &look);
        let style = Style::new().bg(Color::Yellow);
        let marks = [Mark { row: 2, columns: columns.0..columns.1, style }];
        mark(&painted, area, &mut buffer, &marks);
        let shown = area.intersection(whole);
        if let Some((at, _)) = painted.cursor {
            prop_assert!(shown.contains(at));
        }
        for y in shown.rows().map(|row| row.y) {
            let mut x = shown.x;
            while x < shown.right() {
                let cell = buffer.cell((x, y)).unwrap();
                // No half characters, and ratatui's width is vt100's.
                prop_assert!(cell.symbol() != "#" || cell.diff_option == NARROW);
                if cell.diff_option == WIDE {
                    prop_assert!(x + 1 < shown.right());
                    prop_assert_eq!(buffer.cell((x + 1, y)).unwrap().symbol(), " ");
                    prop_assert_eq!(buffer.cell((x + 1, y)).unwrap().bg, cell.bg);
                    x += 1;
                }
                x += 1;
            }
        }
    }
}
