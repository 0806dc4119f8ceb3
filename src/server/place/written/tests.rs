use super::*;

const FILE: &str = r#"# escape=\
FROM base AS one
ENV EARLY=1
RUN <<EOF
USER nobody
FROM table
EOF
ENV A=b C="d e" \
    # in between
    F=g\ h
USER 7:$A
ARG LATER=x
ENV L=$LATER M='$A' N="${A}-$C"
ENV old form of $A
WORKDIR /
copy nothing /here
USER too-late
"#;

fn location(file: i32, lines: std::ops::RangeInclusive<i32>) -> pb::Location {
    let at = |line| Some(pb::Position { line, character: 0 });
    pb::Location {
        source_index: file,
        ranges: lines
            .map(|line| pb::Range {
                start: at(line),
                end: at(line),
            })
            .collect(),
    }
}

fn definition(text: &str, places: &[(&str, Vec<pb::Location>)]) -> pb::Definition {
    let mut source = pb::Source {
        infos: vec![pb::SourceInfo {
            data: text.into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    for (digest, locations) in places {
        let locations = locations.clone();
        let locations = pb::Locations { locations };
        source.locations.insert((*digest).to_owned(), locations);
    }
    pb::Definition {
        source: Some(source),
        ..Default::default()
    }
}

/// What stands in `text` before its last line.
fn settings(text: &str, environment: &[&str]) -> Settings {
    let line = i32::try_from(text.lines().count()).unwrap();
    let definition = definition(text, &[("copy", vec![location(0, line..=line)])]);
    let written = Written::before("copy", None, None, &definition).unwrap();
    written.settings(environment.iter().map(|&one| one.to_owned()).collect())
}

#[test]
fn what_stands_between_a_run_and_a_copy_counts() {
    let places = [
        ("run", vec![location(0, 4..=7)]),
        ("copy", vec![location(0, 16..=16)]),
    ];
    let definition = definition(FILE, &places);
    let written = Written::before("copy", Some("run"), None, &definition).unwrap();
    let known = ["A=was", "EARLY=2"].map(str::to_owned).to_vec();
    assert_eq!(
        written.settings(known),
        Settings {
            environment: [
                "EARLY=2",
                "A=b",
                "C=d e",
                "F=g h",
                "M=$A",
                "N=b-d e",
                "old=form of b"
            ]
            .map(str::to_owned)
            .to_vec(),
            user: Some("7:b".to_owned()),
            at_root: true,
            notes: vec!["not carried over: the ENV in line 13".to_owned()],
        }
    );
}

#[test]
fn a_stage_begins_anew_and_a_run_may_be_of_another_one() {
    let text = "FROM a AS one\nUSER one\nRUN x\nFROM one\nENV A=b\nRUN y\nUSER two\nCOPY x /\n";
    let places = |run: Vec<pb::Location>| {
        [
            ("run", run),
            ("other", vec![location(0, 6..=6)]),
            ("copy", vec![location(0, 8..=8)]),
        ]
    };
    for (run, environment) in [
        (vec![location(0, 3..=3)], vec!["A=b".to_owned()]),
        // The same RUN in both.
        (vec![location(0, 3..=3), location(0, 6..=6)], Vec::new()),
    ] {
        let definition = definition(text, &places(run));
        let written = Written::before("copy", Some("run"), None, &definition).unwrap();
        let settings = written.settings(Vec::new());
        assert_eq!(settings.environment, environment);
        assert_eq!(settings.user.as_deref(), Some("two"));
    }
}

#[test]
fn nothing_is_guessed() {
    let twice = vec![location(0, 2..=2), location(0, 3..=3)];
    for places in [
        vec![],
        vec![("copy", twice)],
        vec![("copy", vec![location(5, 1..=1)])],
        vec![("copy", vec![location(0, -3..=-3)])],
        // Nothing says where the stage begins.
        vec![("copy", vec![location(0, 1..=1)])],
    ] {
        let definition = definition("FROM a\nCOPY x /\nCOPY x /\n", &places);
        assert_eq!(Written::before("copy", None, None, &definition), None);
    }
    let nothing = pb::Definition::default();
    assert_eq!(Written::before("copy", None, None, &nothing), None);

    let unknown = settings(
        "FROM a\nENV A=${B:-c}\nENV D=$A\nUSER $E\nENV X=1\nUSER 'open\nCOPY x /\n",
        &["A=old"],
    );
    assert_eq!(unknown.environment, ["A=old", "X=1"]);
    assert_eq!(unknown.user, None);
    let notes = [
        "ENV in line 2",
        "ENV in line 3",
        "USER in line 4",
        "USER in line 6",
    ];
    assert_eq!(
        unknown.notes,
        notes.map(|what| format!("not carried over: the {what}"))
    );
}

#[test]
fn what_has_no_end_is_not_carried_over() {
    // Twice as long in each line.
    let doubled: String = (0..200).map(|_| "ENV A=$A$A\n").collect();
    let long = settings(
        &format!("FROM a\n{doubled}ENV B=$A\nUSER $A\nCOPY x /\n"),
        &["A=bb"],
    );
    let bytes: usize = long.environment.iter().map(String::len).sum();
    assert!(bytes <= MOST, "{bytes}");
    assert_eq!(long.user, None);
    assert_eq!(long.notes.len(), UNKNOWN);
    // Very many of them.
    let many: String = (0..100_000).map(|number| format!(" V{number}=x")).collect();
    let many = settings(&format!("FROM a\nENV{many}\nCOPY x /\n"), &[]);
    assert!(many.environment.len() <= MOST / LEAST);
    assert_eq!(many.notes, ["not carried over: the ENV in line 2"]);
}

#[test]
fn a_name_is_written_like_a_value() {
    let settings = settings(
        "FROM a\nENV N=name\nENV $N=1 'q'=2 $X=3 ${N}s=4\nCOPY x /\n",
        &[],
    );
    assert_eq!(settings.environment, ["N=name", "name=1", "q=2", "names=4"]);
    assert_eq!(settings.notes, ["not carried over: the ENV in line 3"]);
}

#[test]
fn an_escaped_escape_character_ends_its_line() {
    let settings = settings("FROM a\nENV A=b\\\\\nUSER c\nCOPY x /\n", &[]);
    assert_eq!(settings.environment, ["A=b\\"]);
    assert_eq!(settings.user.as_deref(), Some("c"));
}

#[test]
fn the_root_is_a_directory_without_an_operation() {
    for (text, at_root) in [
        ("FROM a\nWORKDIR /srv\nWORKDIR ..\nCOPY x /\n", true),
        ("FROM a\nWORKDIR /srv\nWORKDIR $D\nCOPY x /\n", true),
        ("FROM a\nWORKDIR //\nWORKDIR /srv\nCOPY x /\n", false),
        ("FROM a\nUSER b\nWORKDIR /srv\nCOPY x /\n", false),
    ] {
        let lines = text.lines().zip(1..);
        let made = lines.filter(|(line, _)| line.ends_with("/srv"));
        let made = made.map(|(_, line)| location(0, line..=line)).collect();
        let places = [("copy", vec![location(0, 4..=4)]), ("made", made)];
        let definition = definition(text, &places);
        let written = Written::before("copy", None, Some("made"), &definition).unwrap();
        assert_eq!(written.settings(Vec::new()).at_root, at_root, "{text}");
    }
}

#[test]
fn another_escape_character() {
    let settings = settings(
        "# syntax=x\n# escape=`\nFROM a\nENV A=c:\\x `\n  B=`\"\nUSER b\\c\nCOPY x /\n",
        &[],
    );
    assert_eq!(settings.environment, ["A=c:\\x", "B=\""]);
    assert_eq!(settings.user.as_deref(), Some("b\\c"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_harmless(text in "(FROM a\n)?([A-Z$'\"\\\\#={} \n]{0,40})", run in 0..9i32) {
        let line = i32::try_from(text.lines().count()).unwrap();
        let places = [
            ("run", vec![location(0, run..=run + 1)]),
            ("copy", vec![location(0, line..=line)]),
        ];
        let definition = definition(&text, &places);
        if let Some(written) = Written::before("copy", Some("run"), None, &definition) {
            let settings = written.settings(vec!["A=b".to_owned()]);
            proptest::prop_assert!(settings.notes.len() <= UNKNOWN);
        }
    }
}
