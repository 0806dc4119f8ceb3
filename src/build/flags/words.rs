//! The words of a build written anew: what clap has understood of them, each flag with its value in one word.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use super::Words;
use crate::build::options::Invalid;

/// The words of `command` that `matches` hold, apart from the flags whose ids `skip` knows.
pub fn of(command: &Command, matches: &ArgMatches, skip: impl Fn(&str) -> bool) -> Vec<String> {
    let mut words = Vec::new();
    let mut places = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if skip(id)
            || matches.try_contains_id(id).is_err()
            || matches.value_source(id) != Some(ValueSource::CommandLine)
        {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
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

/// The words of a request written anew.
///
/// # Errors
/// The first word that cannot be meant.
pub fn normal(words: &[String]) -> Result<Vec<String>, Invalid> {
    let mut command = Words::command();
    command.build();
    let given = std::iter::once("build").chain(words.iter().map(String::as_str));
    let matches = command
        .clone()
        .try_get_matches_from(given)
        .map_err(|error| super::invalid(&error))?;
    Ok(of(&command, &matches, |_| false))
}

/// The long names of a build's flags, those that are shown in its help.
pub fn flags() -> Vec<String> {
    Words::command()
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_one_word() {
        let words: Vec<String> = "-t a --build-arg X=1 -fD --no-cache dir"
            .split(' ')
            .map(str::to_owned)
            .collect();
        let anew = normal(&words).unwrap();
        assert_eq!(
            super::super::parse(&anew).unwrap(),
            super::super::parse(&words).unwrap()
        );
        assert!(anew.contains(&"--tag=a".to_owned()), "{anew:?}");
        assert!(anew.contains(&"--build-arg=X=1".to_owned()), "{anew:?}");
        assert!(normal(&["--tga=x".to_owned()]).is_err());
        assert!(flags().contains(&"--tag".to_owned()));
    }
}
