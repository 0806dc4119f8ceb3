//! Mistakes that can be seen before a build is handed over, for a client that does not stay to hear of them.

use std::collections::HashMap;
use std::path::PathBuf;

use super::options::BuildOptions;
use super::prepare::{Refusal, Surroundings, prepare};
use super::services;
use crate::paths::Env;
use crate::paths::mask::Mask;

/// Looks at everything that `options` name in the directory `cwd`, as the build does it. What comes on standard input
/// is seen later.
///
/// # Errors
/// [`Refusal`]: what is missing or cannot be used.
pub fn check(options: &BuildOptions, env: &Env, cwd: PathBuf) -> Result<(), Refusal> {
    let caller = services::Caller {
        env,
        // They are there, since this is the process that has them.
        files: &HashMap::new(),
        cwd: &cwd,
        // No file is made.
        mask: Mask(0o777),
        config: Default::default(),
    };
    caller.secrets(&options.secrets)?;
    caller.ssh(&options.ssh)?;
    if options.context == "-" || options.dockerfile.as_deref() == Some("-") {
        return Ok(());
    }
    let around = Surroundings {
        env: &|name| {
            env.raw(name)
                .map(|value| value.to_string_lossy().into_owned())
        },
        cwd: cwd.clone(),
        stdin: None,
        stdout_is_terminal: false,
        proxy_args: Vec::new(),
    };
    prepare(options.clone(), around).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        std::fs::create_dir(dir.path().join("good")).unwrap();
        std::fs::write(dir.path().join("good/Dockerfile"), "FROM scratch\n").unwrap();
        let env: Env = std::iter::empty::<(&str, &str)>().collect();
        let told = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            let options = crate::build::flags::parse(&words).unwrap();
            check(&options, &env, dir.path().to_owned()).map_err(|refusal| refusal.0)
        };
        for words in [&["good"][..], &["-"], &["-f-", "empty"]] {
            assert_eq!(told(words), Ok(()), "{words:?}");
        }
        for (words, expected) in [
            (&["/nonexist"][..], "path \"/nonexist\" not found"),
            (&["empty"], "failed to read dockerfile"),
            (&["-f", "good/other", "good"], "failed to read dockerfile"),
            (&["--secret=id=a,src=none", "-"], "none"),
            (&["--output=type=tar,dest=none/there.tar", "good"], "none"),
        ] {
            let refusal = told(words).unwrap_err();
            assert!(refusal.contains(expected), "{words:?}: {refusal}");
        }
    }
}
