use super::*;

fn map(changes: &[(&str, &str)]) -> Result<Keymap, String> {
    let changes = changes
        .iter()
        .map(|(name, keys)| ((*name).to_owned(), (*keys).to_owned()))
        .collect();
    Keymap::new(Key::parse("ctrl-a").unwrap(), &changes)
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

#[test]
fn the_table_has_no_conflict_and_unique_names() {
    let map = map(&[]).unwrap();
    let mut names: Vec<_> = ACTIONS.iter().map(|spec| spec.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ACTIONS.len());
    assert_eq!(map.action(key("z"), Listener::Pane), Some(Action::Zoom));
    assert_eq!(map.action(key("z"), Listener::Shell), Some(Action::Zoom));
}

#[test]
fn n_is_the_next_match_only_while_a_search_is_on() {
    let map = map(&[]).unwrap();
    let n = key("n");
    let text = |searching| Listener::Text { searching };
    assert_eq!(map.action(n, text(true)), Some(Action::NextMatch));
    assert_eq!(map.action(n, text(false)), Some(Action::NextSession));
    assert_eq!(map.action(n, Listener::Pane), Some(Action::NextSession));
    assert_eq!(map.action(key("N"), text(true)), Some(Action::PrevMatch));
    assert_eq!(map.action(key("N"), text(false)), None);
}

#[test]
fn conflicts_and_words_that_mean_nothing_are_told() {
    let table = [
        (
            ("zoom", "r"),
            "keys.zoom: r already means reload; give one of them another key",
        ),
        (
            ("zom", "r"),
            "keys.zom: no such action (did you mean zoom?); 'buildx debug --keys' lists them",
        ),
        (
            ("zoom", "hyper-q"),
            "keys.zoom: unknown key \"hyper-q\"; keys look like ctrl-a, shift-tab, f1, G or space",
        ),
    ];
    for (change, expected) in table {
        let error = map(&[change]).unwrap_err();
        assert_eq!(error, expected);
    }
    let clash = BTreeMap::from([("zoom".to_owned(), "r".to_owned())]);
    let refused = Keymap::check(&clash).unwrap_err();
    assert_eq!(refused.action, "zoom");
    // A swap is no conflict.
    assert!(map(&[("zoom", "r"), ("reload", "z")]).is_ok());
    let none = map(&[("zoom", "")]).unwrap();
    assert_eq!(none.action(key("z"), Listener::Pane), None);
}

#[test]
fn keys_are_read_as_they_are_shown() {
    for text in [
        "Ctrl-a",
        "Shift-Tab",
        "F1",
        "G",
        "Space",
        "Alt-x",
        "Enter",
        "Pgdn",
        "?",
        "-",
        "+",
        "^",
    ] {
        assert_eq!(key(text).to_string(), text);
        assert_eq!(key(&key(text).to_string()), key(text));
    }
    assert_eq!(
        Key::new(KeyCode::BackTab, KeyModifiers::NONE),
        key("shift-tab")
    );
    assert_eq!(Key::new(KeyCode::Char('g'), KeyModifiers::SHIFT), key("G"));
    assert_eq!(
        Key::new(KeyCode::Char('A'), KeyModifiers::CONTROL),
        key("ctrl-a")
    );
}

#[test]
fn a_key_is_the_same_on_terminals_that_tell_keys_apart_and_on_others() {
    use crossterm::event::KeyEvent;
    let typed = |letter, modifiers| Key::of(&KeyEvent::new(KeyCode::Char(letter), modifiers));
    let control = KeyModifiers::CONTROL;
    // What the kitty protocol tells, what plain terminals tell, and the name.
    for (new, old, name) in [
        ('i', KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE), "tab"),
        (
            'm',
            KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            "enter",
        ),
        (
            '[',
            KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            "ctrl-[",
        ),
        ('\\', KeyEvent::new(KeyCode::Char('4'), control), "ctrl-\\"),
        (']', KeyEvent::new(KeyCode::Char('5'), control), "ctrl-]"),
        ('/', KeyEvent::new(KeyCode::Char('7'), control), "ctrl-/"),
        ('A', KeyEvent::new(KeyCode::Char('a'), control), "ctrl-a"),
    ] {
        assert_eq!(typed(new, control), Key::of(&old), "{new}");
        assert_eq!(typed(new, control), Some(key(name)), "{name}");
    }
    let both = control | KeyModifiers::SHIFT;
    assert_eq!(typed('r', both), Some(key("ctrl-r")));
    assert_eq!(typed('x', KeyModifiers::ALT), Some(key("alt-x")));
}
