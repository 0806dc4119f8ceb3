//! What opens the monitor: `debug build`, `debug` alone, `debug attach`.

use std::path::PathBuf;

use super::{Flags, screen, with};
use crate::build::options::BuildOptions;
use crate::build::services;
use crate::client::{Client, caller};
use crate::monitor::again::Again;
use crate::monitor::prefix;
use crate::monitor::run::Place;
use crate::monitor::start::{self, Wish};
use crate::monitor::terminal;
use crate::paths::server::ServerPaths;
use crate::paths::{Env, private};
use crate::progress::settings::{Mode, Settings};
use crate::proto::controller::BuildRequest;

/// Builds and opens the monitor when the flags say so.
pub(super) async fn build(
    flags: Flags,
    options: &BuildOptions,
    words: Vec<String>,
) -> Result<u8, String> {
    let env = Env::from_process();
    let mut progress = crate::cli::build::settings(options, &env)?;
    if options.progress == Mode::Auto && screen::screen_reader(&flags, &env)? {
        progress = progress.spoken();
    }
    let full = screen::wanted(&flags, &env, options.progress != Mode::Auto)?;
    let mut wish = wish(&flags, progress, &env)?;
    wish.caller.files = services::own_files(options);
    let request = BuildRequest {
        caller: Some(wish.caller.clone()),
        arguments: words,
        name: flags.name.clone().unwrap_or_default(),
        keep: flags.keep.unwrap_or(0),
        detached: false,
        keep_success: wish.on_success(),
        attaches: terminal::is_there(),
    };
    if full {
        return screen::build(&flags, &env, &wish, request).await;
    }
    with(&flags.which_server()?, async |client: &Client| {
        wish.in_process = client.info.in_process;
        start::build(client.api.clone(), request, &wish).await
    })
    .await
}

/// The monitor without a build.
pub(super) async fn alone(flags: Flags, words: &[String]) -> Result<u8, String> {
    let without = ["--progress=", "--builder=", "--debug="];
    let of_a_build = words
        .iter()
        .find(|word| !without.iter().any(|own| word.starts_with(own)));
    if let Some(word) = of_a_build {
        let flag = word.split('=').next().unwrap_or_default();
        return Err(format!(
            "{flag} is a flag of a build; use: buildx debug {word} build PATH"
        ));
    }
    let env = Env::from_process();
    if flags.keys {
        return screen::print_keys(&flags, &env);
    }
    let full = screen::wanted(&flags, &env, false)?;
    let mut wish = wish_without_build(&flags, words)?;
    if full {
        return screen::sessions(&flags, &env, &wish).await;
    }
    with(&flags.which_server()?, async |client: &Client| {
        wish.in_process = client.info.in_process;
        let line = wish.open(client.api.clone(), None, false)?;
        Ok(line.run(Place::Prompt).await)
    })
    .await
}

/// The monitor in a session, or in front of a process.
pub(super) async fn attach(
    flags: Flags,
    words: &[String],
    id: String,
    read_only: bool,
) -> Result<u8, String> {
    let env = Env::from_process();
    let full = screen::wanted(&flags, &env, false)?;
    let wish = wish_without_build(&flags, words)?;
    if full {
        return screen::attach(&flags, &env, &wish, &id, read_only).await;
    }
    with(&flags.which_server()?, async |client: &Client| {
        let mut line = wish.open(client.api.clone(), None, false)?;
        let place = line.attach(id, read_only).await?;
        Ok(line.run(place).await)
    })
    .await
}

/// The value of `--progress` among the words of a build.
pub(super) fn progress_of(words: &[String]) -> Option<String> {
    let values = words
        .iter()
        .filter_map(|word| word.strip_prefix("--progress="));
    values.map(str::to_owned).next_back()
}

/// How builds are shown that a command other than `build` starts. `progress`: the user's word for it.
pub(super) fn settings(
    flags: &Flags,
    progress: Option<&str>,
    env: &Env,
) -> Result<Settings, String> {
    use std::io::IsTerminal;
    let mode: Mode = progress.unwrap_or_default().parse()?;
    let terminal = std::io::stderr().is_terminal();
    let settings = Settings::resolve(mode, |name| env.get(name).map(str::to_owned), terminal)?;
    Ok(
        match progress.is_none() && screen::screen_reader(flags, env)? {
            true => settings.spoken(),
            false => settings,
        },
    )
}

fn wish_without_build(flags: &Flags, words: &[String]) -> Result<Wish, String> {
    // Before a server is launched for it.
    if !terminal::is_there() {
        return Err(start::NO_TERMINAL.to_owned());
    }
    let env = Env::from_process();
    let progress = settings(flags, progress_of(words).as_deref(), &env)?;
    wish(flags, progress, &env)
}

fn wish(flags: &Flags, progress: Settings, env: &Env) -> Result<Wish, String> {
    let (invoke, on) = flags.when()?;
    let caller = caller::of_process().map_err(|error| format!("no current directory: {error}"))?;
    let (server, again) = (flags.which_server()?, env.clone());
    let again = Again::new(move || {
        let (server, env) = (server.clone(), again.clone());
        Box::pin(async move { server.connect(&env, &mut |_: &str| {}).await })
    });
    Ok(Wish {
        again,
        caller,
        invoke,
        on,
        prefix: prefix_key(flags, env)?,
        history: history(flags, env),
        progress,
        in_process: false,
        spoken: screen::screen_reader(flags, env)?,
    })
}

/// The flag's key, else the variable's, else that of the configuration.
pub(super) fn prefix_key(flags: &Flags, env: &Env) -> Result<u8, String> {
    match flags
        .prefix
        .as_deref()
        .or_else(|| env.get(prefix::VARIABLE))
    {
        Some(text) => prefix::parse(text),
        None => Ok(flags.config(env)?.prefix),
    }
}

/// The file of the prompt's history. A directory that cannot be made is no reason to have no prompt.
fn history(flags: &Flags, env: &Env) -> Option<PathBuf> {
    let state = ServerPaths::new(env, flags.server.root.as_deref()).state;
    private::make_readable(&state).ok()?;
    Some(state.join("history"))
}
