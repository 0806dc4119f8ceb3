//! The words that a build is asked for with: what clap has understood of them, written anew, without the
//! flags that only concern this process.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::build::Manner;

/// The words of the subcommand in `matches`; none when it is no build.
pub fn of(root: &Command, matches: &ArgMatches) -> Vec<String> {
    match matches.subcommand() {
        Some(("build", matches)) => {
            let mut root = root.clone();
            root.build();
            root.find_subcommand("build")
                .map(|command| words(command, matches))
                .unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// The words of `command`, apart from the flags of [`Manner`].
pub fn words(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let manner = Manner::augment_args(Command::new(""));
    let mut words = Vec::new();
    let mut places = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id();
        if manner.get_arguments().any(|own| own.get_id() == id)
            || matches.try_contains_id(id.as_str()).is_err()
            || matches.value_source(id.as_str()) != Some(ValueSource::CommandLine)
        {
            continue;
        }
        let values = matches.get_raw(id.as_str()).into_iter().flatten();
        let values = values.map(|value| value.to_string_lossy());
        match arg.get_long() {
            Some(long) => words.extend(values.map(|value| format!("--{long}={value}"))),
            None => places.extend(values.map(|value| value.into_owned())),
        }
    }
    if places
        .iter()
        .any(|place| place.len() > 1 && place.starts_with('-'))
    {
        words.push("--".to_owned());
    }
    words.extend(places);
    words
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::CommandFactory;

    fn words_of(line: &str) -> Vec<String> {
        let root = Cli::command();
        let args = std::iter::once("buildx").chain(line.split(' '));
        let matches = root.clone().try_get_matches_from(args).unwrap();
        of(&root, &matches)
    }

    #[test]
    fn the_same_build_in_other_words() {
        for line in [
            "build .",
            "build -t a -t b --build-arg X=1 --no-cache --load=false -",
            "--builder x -D b -q --ulimit nofile=1:2 dir",
            "build -fDf --target=t -o out --secret id=a,env=B --add-host h:1.2.3.4 .",
        ] {
            let words = words_of(line);
            let asked = crate::build::flags::parse(&words);
            let asked = asked.unwrap_or_else(|error| panic!("{line}: {words:?}: {error}"));
            let rest: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let at = rest.iter().position(|w| w == "build" || w == "b").unwrap();
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            let plain: Vec<_> = before.iter().chain(after).cloned().collect();
            assert_eq!(asked, crate::build::flags::parse(&plain).unwrap(), "{line}");
        }
    }

    #[test]
    fn flags_of_this_process_are_left_out() {
        let words = words_of("build --detach --name n --server=off --keep 1h --root /r -t x .");
        assert_eq!(words, ["--tag=x", "."]);
        assert!(words_of("version").is_empty());
    }
}
