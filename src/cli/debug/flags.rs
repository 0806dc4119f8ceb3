//! The flags of the debugger, which may stand before `build` and after it.

use clap::Args;

use crate::build::flags;
use crate::cli::choice::WhichServer;
use crate::client::choice::{ServerChoice, Use};
use crate::config::Config;
use crate::monitor::invoke::{self, Invoke, On};
use crate::paths::Env;

/// Flags of the debugger: before `build` and after it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Debugger")]
pub struct Flags {
    /// Start this process: words, or CSV with the keys args, entrypoint, env, user, cwd, tty
    /// (default: the shell of the step or image). After a success as well, unless --on says otherwise.
    #[arg(long, value_name = "PROCESS", allow_hyphen_values = true)]
    pub invoke: Option<String>,
    /// When to open the monitor: error, or always.
    #[arg(long, value_name = "WHEN")]
    pub on: Option<String>,
    /// The monitor's prefix key (default: ctrl-a).
    #[arg(long, value_name = "KEY")]
    pub prefix: Option<String>,
    /// tui (full screen) or line (default: tui on a capable terminal).
    #[arg(long, value_enum, value_name = "MODE", hide_possible_values = true)]
    pub ui: Option<Ui>,
    /// For screen readers: no full screen, but whole sentences, one below the other, and nothing is drawn over.
    #[arg(long)]
    pub screen_reader: bool,
    /// Only ASCII characters on the full screen (default: when the locale is not UTF-8).
    #[arg(long)]
    pub ascii: bool,
    /// Colours on the full screen: auto, always or never.
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub color: Option<Color>,
    /// Whether the full screen takes the mouse (default: true).
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::truth, value_name = "BOOL")]
    pub mouse: Option<bool>,
    /// Print the keys of the full screen.
    #[arg(long)]
    pub keys: bool,
    /// Use the background server, as is the default; --detach=false does everything in this process,
    /// as --server=off does.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::truth, value_name = "BOOL")]
    pub detach: Option<bool>,
    /// Name of the session (default: from the tag, else from the directory).
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long the state of the build is kept, such as 2h (default: 10m).
    #[arg(long, value_name = "TIME", value_parser = crate::cli::build::keep)]
    pub keep: Option<u64>,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
}

/// What the debugger looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ui {
    /// The whole screen.
    Tui,
    /// Lines and a prompt.
    Line,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// Unless NO_COLOR says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Flags {
    /// These, and `before` where they say nothing.
    pub(super) fn or(self, before: Self) -> Self {
        Self {
            invoke: self.invoke.or(before.invoke),
            on: self.on.or(before.on),
            prefix: self.prefix.or(before.prefix),
            ui: self.ui.or(before.ui),
            screen_reader: self.screen_reader || before.screen_reader,
            ascii: self.ascii || before.ascii,
            color: self.color.or(before.color),
            mouse: self.mouse.or(before.mouse),
            keys: self.keys || before.keys,
            detach: self.detach.or(before.detach),
            name: self.name.or(before.name),
            keep: self.keep.or(before.keep),
            server: or(self.server, before.server),
        }
    }

    /// What `--invoke` and `--on` mean.
    pub(super) fn when(&self) -> Result<(Option<Invoke>, Option<On>), String> {
        let invoke = self.invoke.as_deref().map(invoke::parse).transpose()?;
        let on = self.on.as_deref().map(invoke::parse_on).transpose()?;
        Ok((invoke, on))
    }

    /// The configuration that counts.
    pub(super) fn config(&self, env: &Env) -> Result<Config, String> {
        let named = self.server.server_config.as_deref();
        Config::load(env, named).map_err(|error| error.to_string())
    }

    /// The server, with what `--detach` means for it.
    pub(super) fn which_server(&self) -> Result<WhichServer, String> {
        let mut server = self.server.clone();
        match (self.detach, server.server) {
            (Some(false), Some(ServerChoice::On)) => {
                return Err("--detach=false and --server=on contradict each other".to_owned());
            }
            (Some(true), Some(ServerChoice::Off)) => {
                return Err("--detach and --server=off contradict each other".to_owned());
            }
            (Some(false), _) => server.server = Some(ServerChoice::Off),
            (Some(true), None) => server.server = Some(ServerChoice::On),
            (Some(true), Some(_)) | (None, _) => {}
        }
        Ok(server)
    }

    /// Whether builds may run in this process.
    pub(super) fn may_work_here(&self, env: &Env) -> bool {
        let server = self.which_server().ok();
        let choice = server.and_then(|which| ServerChoice::new(which.server, env).ok());
        choice.is_none_or(|choice| choice.means(env) != Use::Launch)
    }
}

/// These, and `before` where they say nothing.
pub(super) fn or(these: WhichServer, before: WhichServer) -> WhichServer {
    WhichServer {
        server: these.server.or(before.server),
        root: these.root.or(before.root),
        server_config: these.server_config.or(before.server_config),
    }
}
