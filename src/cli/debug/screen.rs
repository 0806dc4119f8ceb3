//! The full screen from the command line: whether it is wanted and possible, and what it begins with.

use std::io::Write;
use std::path::PathBuf;

use super::{Color, Flags, Ui};
use crate::client::{Client, status};
use crate::config::{Colours, Config};
use crate::monitor::exec::{Target, find};
use crate::monitor::history;
use crate::monitor::invoke::when;
use crate::monitor::start::{self, Wish};
use crate::monitor::terminal;
use crate::paths::Env;
use crate::paths::server::ServerPaths;
use crate::proto::controller::BuildRequest;
use crate::term::blocking::Blocking;
use crate::tui::app::Setup;
use crate::tui::keymap::{Key, Keymap};
use crate::tui::known::disambiguates;
use crate::tui::msg::BuildId;
use crate::tui::recent;
use crate::tui::run::{Begin, run};
use crate::tui::shell::screen::colour::Depth;
use crate::tui::theme::Theme;
use crate::tui::zone::Zone;

/// Said where the full screen would be used.
const DUMB: &str = "this terminal cannot show a screen (TERM is dumb or not set): here is the monitor in lines; help lists its commands";

/// Whether the full screen is used. `progress`: the user has said how the build is to be shown.
///
/// # Errors
/// It was asked for and cannot be; one line.
pub(super) fn wanted(flags: &Flags, env: &Env, progress: bool) -> Result<bool, String> {
    let dumb = env
        .get("TERM")
        .is_none_or(|term| term.is_empty() || term == "dumb");
    let there = terminal::is_there();
    match flags.ui {
        Some(Ui::Line) => Ok(false),
        None if screen_reader(flags, env)? => Ok(false),
        Some(Ui::Tui) if !there => Err(start::NO_TERMINAL.to_owned()),
        Some(Ui::Tui) if dumb => Err(
            "this terminal cannot show a screen (TERM is dumb or not set); use --ui=line"
                .to_owned(),
        ),
        Some(Ui::Tui) => Ok(true),
        None => {
            if there && dumb && !progress {
                eprintln!("{DUMB}");
            }
            Ok(there && !dumb && !progress)
        }
    }
}

/// Whether lines are wanted that are read out.
///
/// # Errors
/// The configuration cannot be used; one line.
pub(super) fn screen_reader(flags: &Flags, env: &Env) -> Result<bool, String> {
    Ok(flags.screen_reader || flags.config(env)?.tui.screen_reader)
}

/// Builds on the screen.
pub(super) async fn build(
    flags: &Flags,
    env: &Env,
    wish: &Wish,
    request: BuildRequest,
) -> Result<u8, String> {
    let client = connect(flags, env).await?;
    let directory = PathBuf::from(&wish.caller.directory);
    if let Some(file) = recent_file(wish)
        && let Some(words) = recent::kept(&request.arguments, &directory)
        // A full disk is no reason not to build.
        && let Err(error) = recent::save(&file, words)
    {
        let _ = writeln!(
            std::io::stderr(),
            "cannot write {}: {error}",
            file.display()
        );
    }
    let started = client.api.clone().build(request).await;
    let started = started.map_err(|error| status::line(&error))?.into_inner();
    let build = BuildId {
        session: started.session,
        build: started.build,
    };
    show(flags, env, wish, client, Begin::Build(build)).await
}

/// The file of recent builds: beside the history. Without a place for that, nothing is remembered.
fn recent_file(wish: &Wish) -> Option<PathBuf> {
    let history = wish.history.as_ref()?;
    Some(history.with_file_name("recent"))
}

/// The sessions of the server on the screen.
pub(super) async fn sessions(flags: &Flags, env: &Env, wish: &Wish) -> Result<u8, String> {
    let client = connect(flags, env).await?;
    show(flags, env, wish, client, Begin::Sessions).await
}

/// A session or process on the screen.
pub(super) async fn attach(
    flags: &Flags,
    env: &Env,
    wish: &Wish,
    id: &str,
    read_only: bool,
) -> Result<u8, String> {
    let client = connect(flags, env).await?;
    let found = find(&mut client.api.clone(), None, id).await;
    let (session, process) = match found.map_err(|complaint| complaint.0)? {
        Target::Session(session) => (session.id, None),
        Target::Process(process) => (process.session, Some(process.id)),
    };
    let begin = Begin::Session {
        session,
        process,
        read_only,
    };
    show(flags, env, wish, client, begin).await
}

/// Prints the keys.
pub(super) fn print_keys(flags: &Flags, env: &Env) -> Result<u8, String> {
    let keymap = keymap(super::build::prefix_key(flags, env)?, &flags.config(env)?)?;
    super::verbs::print(&keymap.table())?;
    Ok(0)
}

async fn connect(flags: &Flags, env: &Env) -> Result<Client, String> {
    let mut tell = |line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    flags.which_server()?.connect(env, &mut tell).await
}

async fn show(
    flags: &Flags,
    env: &Env,
    wish: &Wish,
    client: Client,
    begin: Begin,
) -> Result<u8, String> {
    let config = flags.config(env)?;
    // Beside the history; without a place for that, nothing is remembered.
    let recent_file = wish
        .history
        .as_ref()
        .map(|file| file.with_file_name("recent"));
    let setup = Setup {
        caller: wish.caller.clone(),
        invoke: wish.invoke.clone(),
        on: when(wish.on, wish.invoke.as_ref()),
        keymap: keymap(wish.prefix, &config)?,
        theme: theme(flags, env, &config),
        depth: Depth::of(|name| env.get(name)),
        mouse: flags.mouse.unwrap_or(config.tui.mouse),
        keys: disambiguates(|name| env.get(name)),
        recent: recent_file.as_deref().map(recent::load).unwrap_or_default(),
        recent_file,
        commands: wish
            .history
            .as_deref()
            .map(history::lines)
            .unwrap_or_default(),
        history: wish.history.clone(),
        hint: first_start(flags, env),
        zone: Zone::of(env.get("TZ")),
        in_process: client.info.in_process,
    };
    let server = flags.which_server()?;
    let again = env.clone();
    let connect = Box::new(
        move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            let (server, env) = (server.clone(), again.clone());
            Box::pin(async move { server.connect(&env, &mut |_: &str| {}).await })
        },
    );
    let local = client.clone();
    let left = run(setup, client, connect, begin).await?;
    for line in &left.lines {
        let _ = writeln!(Blocking(std::io::stderr()), "{line}");
    }
    local.close().await;
    Ok(left.code)
}

fn keymap(prefix: u8, config: &Config) -> Result<Keymap, String> {
    let letter = char::from(prefix | 0x40).to_ascii_lowercase();
    let prefix = Key::parse(&format!("ctrl-{letter}"))?;
    Keymap::new(prefix, &config.tui.keys)
}

fn theme(flags: &Flags, env: &Env, config: &Config) -> Theme {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env.get(name).filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    let colours = match flags.color {
        Some(Color::Always) => Colours::Always,
        Some(Color::Never) => Colours::Never,
        Some(Color::Auto) => Colours::Auto,
        None => config.tui.color,
    };
    let colour = match colours {
        Colours::Always => true,
        Colours::Never => false,
        Colours::Auto => env.get("NO_COLOR").is_none_or(str::is_empty),
    };
    let ascii = flags.ascii || config.tui.ascii || !utf8;
    Theme::new(ascii, colour, config.tui.styles())
}

/// Whether this user sees the screen for the first time; remembered at once.
pub(super) fn first_start(flags: &Flags, env: &Env) -> bool {
    let state = ServerPaths::new(env, flags.server.root.as_deref()).state;
    if crate::paths::private::make_readable(&state).is_err() {
        return false;
    }
    let seen = state.join("welcomed");
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(seen)
        .is_ok()
}
