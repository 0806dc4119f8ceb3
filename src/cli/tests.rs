use super::*;

fn mistake(line: &str) -> String {
    let args = std::iter::once("buildx")
        .chain(line.split(' '))
        .map(OsString::from);
    match parse(args) {
        Parsed::Mistake(text) => text,
        Parsed::Run(cli, _) => match cli.command {
            Some(Command::Build(args)) => {
                match crate::build::flags::options(args.build, cli.global.which) {
                    Ok(options) => panic!("{line:?} was accepted: {options:?}"),
                    Err(error) => error.to_string(),
                }
            }
            other => panic!("{line:?} was accepted: {other:?}"),
        },
        Parsed::Help(text) => panic!("{line:?} asks for help: {text}"),
    }
}

#[test]
fn mistakes_are_one_line_in_the_peers_words() {
    let table = [
        (
            "build --tga x .",
            "unknown flag: --tga (did you mean --tag?)",
        ),
        (
            "build --tga=x .",
            "unknown flag: --tga (did you mean --tag?)",
        ),
        (
            "build --zzzzzzzzz .",
            "unknown flag: --zzzzzzzzz; see 'buildx build --help'",
        ),
        (
            "build -Z .",
            "unknown shorthand flag: 'Z' in -Z; see 'buildx build --help'",
        ),
        ("build --file", "flag needs an argument: --file"),
        ("build -f", "flag needs an argument: 'f' in -f"),
        (
            "build --load=maybe .",
            "invalid argument \"maybe\" for \"--load\" flag: expected true or false",
        ),
        (
            "build",
            "buildx: 'buildx build' requires 1 argument (PATH | URL | -); see 'buildx build --help'",
        ),
        (
            "build a b",
            "buildx: 'buildx build' requires 1 argument (PATH | URL | -), not 2; see 'buildx build --help'",
        ),
        (
            "version extra",
            "buildx: 'buildx version' requires 0 arguments; see 'buildx version --help'",
        ),
        (
            "biuld .",
            "unknown command: \"biuld\" (did you mean build?); see 'buildx --help'",
        ),
        ("--frob", "unknown flag: --frob; see 'buildx --help'"),
        (
            "server stauts",
            "unknown command: \"stauts\" (did you mean status?); see 'buildx server --help'",
        ),
        (
            "server status --fromat json",
            "unknown flag: --fromat (did you mean --format?)",
        ),
        (
            "server restart --wait soon",
            "invalid argument \"soon\" for \"--wait\" flag: expected number at 0",
        ),
        (
            "debug exec",
            "buildx: 'buildx debug exec' requires SESSION and COMMAND...; see 'buildx debug exec --help'",
        ),
        (
            "debug --root r keep s",
            "buildx: 'buildx debug keep' requires DURATION; see 'buildx debug keep --help'",
        ),
        (
            "debug list x",
            "buildx: 'buildx debug ls' requires 0 arguments; see 'buildx debug ls --help'",
        ),
        (
            "debug wait a b",
            "buildx: 'buildx debug wait' requires 1 argument; see 'buildx debug wait --help'",
        ),
        (
            "--root r debug ls",
            "--root is a flag of 'buildx debug': buildx debug --root ...",
        ),
        (
            "--server=off build .",
            "--server is a flag of 'buildx build': buildx build --server ...",
        ),
        (
            "debug attach --ui=line x",
            "--ui is a flag of 'buildx debug': buildx debug --ui ...",
        ),
        (
            "debug ls --follow",
            "unknown flag: --follow; see 'buildx debug ls --help'",
        ),
        (
            "build --progress bogus .",
            "invalid progress mode bogus, expected auto, plain, tty, rawjson, quiet or none",
        ),
        (
            "build -q --progress plain .",
            "progress=plain and quiet cannot be used together",
        ),
        (
            "build --shm-size foo .",
            "invalid argument \"foo\" for \"--shm-size\" flag: invalid size: 'foo'",
        ),
        (
            "build --shm-size -1 .",
            "invalid argument \"-1\" for \"--shm-size\" flag: invalid size: '-1'",
        ),
        (
            "build --ulimit foo=1 .",
            "invalid argument \"foo=1\" for \"--ulimit\" flag: invalid ulimit type: foo",
        ),
        (
            "build --cpu-quota x .",
            "invalid argument \"x\" for \"--cpu-quota\" flag: expected a number",
        ),
        ("build --attest foo .", "invalid value foo"),
        (
            "build --label =foo .",
            "invalid key-value pair \"=foo\": empty key",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(mistake(line), expected, "{line}");
    }
    for line in ["build --check .", "build --call=outline ."] {
        assert!(mistake(line).contains("not supported yet"), "{line}");
    }
}

#[test]
fn names_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    for flag in ["--iidfile", "--metadata-file", "--file", "--tag"] {
        let words = ["buildx", "build", flag].map(OsString::from);
        let args = words.into_iter().chain([odd.to_owned(), ".".into()]);
        let Parsed::Mistake(line) = parse(args) else {
            panic!("{flag} took it");
        };
        assert_eq!(line, "an argument is not valid UTF-8");
    }
}

#[test]
fn clap_finds_no_fault_with_the_definition() {
    Cli::command().debug_assert();
}

#[test]
fn help_names_every_visible_flag_and_fits_the_terminal() {
    let mut root = Cli::command();
    root.build();
    let build = root.find_subcommand_mut("build").unwrap();
    let help = build.clone().term_width(80).render_help().to_string();
    for arg in build.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if let Some(long) = arg.get_long() {
            assert!(help.contains(&format!("--{long}")), "--{long}");
        }
    }
    assert!(help.contains("Examples:"), "{help}");
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn global_flags_before_and_after_the_command() {
    for line in ["--builder x -D build .", "build --builder=x --debug ."] {
        let cli = Cli::try_parse_from(std::iter::once("buildx").chain(line.split(' '))).unwrap();
        assert_eq!(cli.global.which.builder.as_deref(), Some("x"), "{line}");
        assert!(cli.global.which.debug, "{line}");
    }
    assert!(Cli::try_parse_from(["buildx", "b", "."]).is_ok());
}

#[test]
fn styles_go() {
    assert_eq!(without_styles("\x1b[1mUsage:\x1b[0m x"), "Usage: x");
}
