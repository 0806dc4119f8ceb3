use super::*;

fn env() -> Env {
    [("HOME", "/home/u")].into_iter().collect()
}

fn parse(text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&env(), Some(&path)).map_err(|error| {
        let said = error.to_string();
        said.replace(&path.display().to_string(), "FILE")
    })
}

#[test]
fn nothing_said_means_the_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(parse("# only this\n").unwrap(), Config::default());
    assert_eq!(Config::load(&env(), None).unwrap(), Config::default());
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        root = "~/b"
        log_level = "debug"
        log_file = "/var/log/b"
        idle_timeout = "0"
        keep = "1h 30m"
        trace_budget = "1.5GiB"
        scrollback = 0
        yield_to_others = false
        prefix = "ctrl-b"
        "#,
    )
    .unwrap();
    assert_eq!(
        config,
        Config {
            root: Some("/home/u/b".into()),
            log_level: Level::Debug,
            log_file: Some("/var/log/b".into()),
            idle_timeout: None,
            keep: Duration::from_secs(5400),
            trace_budget: 3 << 29,
            scrollback: 0,
            yield_to_others: false,
            prefix: 2,
            tui: ScreenConfig::default(),
        }
    );
    assert_eq!(parse("trace_budget = 0x400").unwrap().trace_budget, 1024);
}

#[test]
fn mistakes_are_one_line_with_a_place() {
    let table = [
        (
            "\nidle_timout = \"5m\"",
            "FILE:2: unknown key \"idle_timout\" (did you mean idle_timeout?); the keys are root, \
             log_level, log_file, idle_timeout, keep, trace_budget, scrollback, yield_to_others, prefix, tui",
        ),
        (
            "[server]\nroot = \"/x\"",
            "FILE:1: unknown key \"server\"; the keys are root, log_level, log_file, \
             idle_timeout, keep, trace_budget, scrollback, yield_to_others, prefix, tui",
        ),
        (
            "keep = 10",
            "FILE:1: keep: expected a string such as \"10m\", not integer",
        ),
        (
            "keep = \"soon\"",
            "FILE:1: keep: expected a time such as \"10m\", \"90s\" or \"0\", not \"soon\"",
        ),
        (
            "log_level = \"wran\"",
            "FILE:1: log_level: expected error, warn, info or debug, not \"wran\" (did you mean \
             warn?)",
        ),
        (
            "root = \"here\"",
            "FILE:1: root: expected a path that begins with / or ~/, not \"here\"",
        ),
        (
            "trace_budget = -1",
            "FILE:1: trace_budget: expected a size such as \"2GiB\" or \"500MiB\", not -1",
        ),
        (
            "scrollback = 100001",
            "FILE:1: scrollback: expected a number of lines from 0 to 100000",
        ),
        (
            "yield_to_others = 1",
            "FILE:1: yield_to_others: expected true or false, not integer",
        ),
        (
            "scrollback = \"x\"",
            "FILE:1: scrollback: expected a number of lines from 0 to 100000",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text).unwrap_err(), expected, "{text}");
    }
    for (text, line) in [
        ("keep = \"1m\"\nkeep = \"2m\"", 2),
        ("\n\nkeep = ", 3),
        ("= 1", 1),
    ] {
        let said = parse(text).unwrap_err();
        assert!(said.starts_with(&format!("FILE:{line}: ")), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
    let said = parse("prefix = \"ctrl-c\"").unwrap_err();
    assert!(said.starts_with("FILE:1: prefix: invalid prefix"), "{said}");
}

#[test]
fn what_is_no_such_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let load = |path: &Path| Config::load(&env(), Some(path)).unwrap_err().to_string();
    assert!(load(&dir.path().join("none")).starts_with("cannot read the configuration "));
    assert!(load(dir.path()).ends_with("it is no file"));
    let odd = dir.path().join("odd");
    std::fs::write(&odd, b"\xff").unwrap();
    assert!(load(&odd).ends_with("it is not UTF-8"));
}

#[test]
fn the_usual_place_follows_xdg() {
    let place = |pairs: &[(&str, &str)]| usual_place(&pairs.iter().copied().collect());
    assert_eq!(
        place(&[("HOME", "/h")]),
        Some("/h/.config/buildx/config.toml".into())
    );
    assert_eq!(
        place(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]),
        Some("/c/buildx/config.toml".into())
    );
    assert_eq!(place(&[]), None);
}

#[test]
fn the_template_has_every_key_with_its_default() {
    let template = include_str!("../../assets/config.toml");
    assert_eq!(parse(template).unwrap(), Config::default());
    let (template, screen) = template.split_once("\n#[tui]\n").unwrap();
    // A key is a line of the form `#key = value`; explanations have a space after the mark.
    let keys: Vec<&str> = template
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, KEYS[..KEYS.len() - 1]);
    let all: String = template
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{key}\n"),
            _ => "\n".to_owned(),
        })
        .collect();
    let config = parse(&all).unwrap();
    let places = Config {
        root: config.root.clone(),
        log_file: config.log_file.clone(),
        ..Config::default()
    };
    assert_eq!(config, places);
    assert!(config.root.is_some() && config.log_file.is_some());
    let all: String = screen
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
        .map(|line| format!("{line}\n"))
        .collect();
    let config = parse(&format!("[tui]\n{all}")).unwrap().tui;
    let examples = ScreenConfig {
        keys: config.keys.clone(),
        theme: config.theme.clone(),
        ..ScreenConfig::default()
    };
    assert_eq!(config, examples);
    assert!(!config.keys.is_empty() && !config.theme.is_empty());
    for key in SCREEN_KEYS {
        assert!(
            all.contains(&format!("{key} = ")) || all.contains(&format!("[tui.{key}]")),
            "{key}"
        );
    }
}

#[test]
fn the_screen_is_read_and_checked() {
    let config = parse(
        r##"
        [tui]
        mouse = false
        ascii = true
        color = "never"
        screen_reader = true
        keys = { zoom = "f9 Z", timeline = "" }
        [tui.theme]
        error = "bright-red bold"
        border-focus = "#102030"
        "##,
    );
    let config = config.unwrap().tui;
    assert!(!config.mouse && config.ascii && config.screen_reader);
    assert_eq!(config.color, Colours::Never);
    assert_eq!(config.keys["zoom"], "f9 Z");
    assert_eq!(config.styles().len(), 2);
    let table = [
        ("tui = 1", "FILE:1: tui: expected a table, not integer"),
        (
            "[tui]\nmuose = true",
            "FILE:2: unknown key \"tui.muose\" (did you mean mouse?); the keys are mouse, ascii, \
             color, screen_reader, keys, theme",
        ),
        (
            "[tui]\nmouse = 1",
            "FILE:2: tui.mouse: expected true or false, not integer",
        ),
        (
            "[tui]\ncolor = \"allways\"",
            "FILE:2: tui.color: expected auto, always or never, not \"allways\" (did you mean always?)",
        ),
        (
            "[tui.keys]\nzom = \"z\"",
            "FILE:2: tui.keys.zom: no such action (did you mean zoom?); 'buildx debug --keys' lists them",
        ),
        (
            "[tui.keys]\n\nzoom = \"ctlr-z\"",
            "FILE:3: tui.keys.zoom: unknown key \"ctlr-z\"; keys look like ctrl-a, shift-tab, f1, G or space",
        ),
        (
            "[tui.keys]\nzoom = 3",
            "FILE:2: tui.keys.zoom: expected a string such as \"f2\", not integer",
        ),
        (
            "[tui.keys]\nzoom = \"x\"",
            "FILE:2: tui.keys.zoom: x already means cancel; give one of them another key",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text).unwrap_err(), expected, "{text}");
    }
    let said = parse("[tui.theme]\nerr = \"red\"").unwrap_err();
    assert!(
        said.starts_with("FILE:2: tui.theme.err: no such role"),
        "{said}"
    );
    let said = parse("[tui.theme]\nerror = \"pink\"").unwrap_err();
    assert!(
        said.starts_with("FILE:2: tui.theme.error: unknown colour \"pink\""),
        "{said}"
    );
}
