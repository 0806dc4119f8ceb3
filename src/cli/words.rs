//! The words that a build is asked for with: what clap has understood of them, written anew, without the
//! flags that only concern this process.

use clap::{ArgMatches, Args, Command};

use super::build::Manner;
use super::debug::Flags;

/// The words of the build that `matches` ask for; none when they ask for none. Those of a debugged
/// build come from both sides of `build`.
pub fn of(root: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut root = root.clone();
    root.build();
    match matches.subcommand() {
        Some(("build", matches)) => words(&root, &["build"], matches),
        Some(("debug", matches)) => {
            let mut words = words(&root, &["debug"], matches);
            if let Some(("build", matches)) = matches.subcommand() {
                words.extend(self::words(&root, &["debug", "build"], matches));
            }
            words
        }
        _ => Vec::new(),
    }
}

/// The words of the command that `path` leads to, apart from the flags of this process.
fn words(root: &Command, path: &[&str], matches: &ArgMatches) -> Vec<String> {
    let mut command = Some(root);
    for name in path {
        command = command.and_then(|command| command.find_subcommand(name));
    }
    let Some(command) = command else {
        return Vec::new();
    };
    let own = Flags::augment_args(Manner::augment_args(Command::new("")));
    crate::build::flags::words::of(command, matches, |id| {
        own.get_arguments().any(|own| own.get_id() == id)
    })
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

    #[test]
    fn both_sides_of_a_debugged_build() {
        let line = "debug -t a --invoke sh --on=always build --build-arg X=1 --server=off --prefix ctrl-b -t b .";
        assert_eq!(
            words_of(line),
            ["--tag=a", "--build-arg=X=1", "--tag=b", "."]
        );
        assert_eq!(words_of("debug --progress plain"), ["--progress=plain"]);
        assert!(words_of("debug ls --root /r").is_empty());
    }
}
