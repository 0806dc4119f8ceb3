//! `buildx debug exec`: a program in a session, with the terminal or with pipes, and its exit code.

use std::io::{IsTerminal, Write};

use clap::Args;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::verbs::{id, refused};
use crate::cli::choice::WhichServer;
use crate::client::follow::lost;
use crate::client::{Api, caller, status};
use crate::monitor::listing;
use crate::monitor::prefix::{self, Prefix};
use crate::monitor::shell::{self, Left, Link};
use crate::monitor::terminal::{self, INTERRUPTED, TERMINATED, Terminal};
use crate::proto::controller::attach_input::Input;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{
    AttachInput, AttachStart, ExecRequest, Exited, KillRequest, Ready, SignalRequest, State,
    TerminalSize,
};
use crate::term::blocking::Blocking;
use crate::term::escape;

/// Bytes of standard input in one message.
const CHUNK: usize = 32 << 10;

/// Messages to the server that may wait.
const QUEUE: usize = 8;

/// Size of a terminal that nobody looks at.
const UNSEEN: TerminalSize = TerminalSize { rows: 24, cols: 80 };

/// Exit code when a process has ended without one.
const NO_CODE: u8 = 1;

/// Exit code when nobody reads the output any more: that of a program that SIGPIPE ends.
const NO_READER: u8 = 128 + 13;

/// `buildx debug exec`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "buildx debug exec [OPTIONS] SESSION COMMAND [ARG...]")]
pub struct ExecArgs {
    /// A variable, after those of the step or image.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<String>,
    /// Directory to start in (default: the step's or image's).
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// User to run as (default: the step's or image's).
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// With a terminal.
    #[arg(short, long)]
    pub tty: bool,
    /// Pass the keyboard on although there is no -t; what is piped in is passed on in any case.
    #[arg(short, long)]
    pub interactive: bool,
    /// Start in the state before the failed step.
    #[arg(long)]
    pub init: bool,
    /// Platform of a result that has several.
    #[arg(long, id = "of_platform", value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub server: WhichServer,
    /// Id, the beginning of one, or a name.
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// The program and its arguments.
    #[arg(
        value_name = "COMMAND",
        required = true,
        num_args = 1..,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<String>,
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Runs the program; its exit code comes back.
pub(super) async fn run(api: &Api, args: ExecArgs) -> Result<u8, String> {
    let mut api = api.clone();
    let session = id(&mut api, &args.session).await?;
    let on_terminal = args.tty && terminal::is_there();
    let stdin = args.tty || args.interactive || !std::io::stdin().is_terminal();
    let terminal = match on_terminal {
        true => {
            Some(Terminal::open().map_err(|error| format!("cannot use the terminal: {error}"))?)
        }
        false => None,
    };
    let raw = args.tty && !on_terminal;
    let size = terminal.as_ref().map_or(UNSEEN, Terminal::size);
    let caller = caller::of_process().map_err(|error| format!("no current directory: {error}"))?;
    let state = if args.init {
        State::Before
    } else {
        State::After
    };
    let request = ExecRequest {
        session: session.clone(),
        caller: Some(caller),
        arguments: args.command,
        entrypoint: Vec::new(),
        environment: args.env,
        user: args.user,
        directory: args.workdir,
        tty: args.tty,
        rows: size.rows,
        cols: size.cols,
        state: state.into(),
        platform: args.platform.unwrap_or_default(),
        stdin,
        raw,
    };
    let started = api.exec(request).await.map_err(refused)?.into_inner();
    for note in &started.notes {
        let _ = writeln!(std::io::stderr(), "{}", listing::plain(note));
    }
    let start = AttachStart {
        session,
        process: started.process,
        size: None,
        read_only: false,
        scrollback: 0,
        terminal: caller::terminal(),
        raw,
    };
    match terminal {
        Some(terminal) => in_terminal(terminal, api, start).await,
        None => in_pipes(api, start, args.tty, stdin).await,
    }
}

async fn in_terminal(mut terminal: Terminal, api: Api, start: AttachStart) -> Result<u8, String> {
    let (session, process) = (start.session.clone(), start.process.clone());
    let mut prefix = Prefix::new(prefix::DEFAULT);
    let link = Link {
        api,
        start,
        tty: true,
        others: Vec::new(),
        monitor: false,
        prefix: &mut prefix,
    };
    let left = shell::connect(&mut terminal, link).await;
    terminal.new_line();
    let gone_code = terminal.gone_code();
    drop(terminal);
    match left {
        Left::Exited(exited) => ended(&exited),
        Left::Lost(why) => Err(broken(&session, &why)),
        Left::Toggled | Left::Detached => {
            let _ = writeln!(
                std::io::stderr(),
                "Process {process} goes on; come back with: buildx debug attach {process}"
            );
            Ok(0)
        }
        Left::Gone => Ok(gone_code),
    }
}

fn ended(exited: &Exited) -> Result<u8, String> {
    match (exited.exit_code, exited.reason.as_str()) {
        (Some(code), _) => Ok(u8::try_from(code).unwrap_or(NO_CODE)),
        (None, "") => Err("the process has ended without an exit code".to_owned()),
        (None, reason) => Err(listing::plain(reason)),
    }
}

/// Every byte as it is; only a terminal gets filtered ones.
async fn in_pipes(mut api: Api, start: AttachStart, tty: bool, stdin: bool) -> Result<u8, String> {
    let cannot = |error: std::io::Error| format!("cannot listen for signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (session, process) = (start.session.clone(), start.process.clone());
    let start = AttachStart {
        size: tty.then_some(UNSEEN),
        ..start
    };
    let _ = sender.send(input(Input::Start(start))).await;
    let attached = api.attach(ReceiverStream::new(receiver)).await;
    // What is sent is open until the end, also when there is no input.
    let _open = sender.clone();
    let broken = |status| broken(&session, &status);
    let mut output = attached.map_err(broken)?.into_inner();
    if stdin {
        tokio::spawn(send_stdin(sender, tty));
    }
    let mut out = Pipe::new(Blocking(std::io::stdout()), std::io::stdout().is_terminal());
    let mut err = Pipe::new(Blocking(std::io::stderr()), std::io::stderr().is_terminal());
    let mut stopped = false;
    loop {
        let message = tokio::select! {
            message = output.message() => message.map_err(broken)?,
            (name, code) = either(&mut interrupt, &mut terminate) => {
                // The first is the program's, the second ours.
                if stopped {
                    return Ok(code);
                }
                stopped = true;
                // Not behind input that the program does not read.
                let request = SignalRequest {
                    session: session.clone(),
                    process: process.clone(),
                    signal: name.to_owned(),
                };
                let mut api = api.clone();
                tokio::spawn(async move { api.signal(request).await });
                continue;
            }
        };
        let Some(message) = message else {
            return Err(broken(Status::unavailable(shell::CUT_OFF)));
        };
        let written = match message.output {
            // From a server that does not know `raw`.
            Some(Output::Snapshot(snapshot)) if tty => out
                .write(&snapshot.scrollback)
                .and_then(|()| out.write(&snapshot.screen)),
            Some(Output::Data(bytes)) => out.write(&bytes),
            Some(Output::ErrorData(bytes)) => err.write(&bytes),
            Some(Output::Exited(exited)) => {
                return match out.end().and_then(|()| err.end()) {
                    Ok(()) => ended(&exited),
                    Err(error) => unwritten(&error),
                };
            }
            _ => Ok(()),
        };
        if let Err(error) = written {
            // Without an end it would write on, for nobody, and hold the state for ever.
            let (session, process) = (session.clone(), process.clone());
            let _ = api.kill(KillRequest { session, process }).await;
            return unwritten(&error);
        }
    }
}

/// Why a process is connected no more, and how its session comes back if the server is lost.
fn broken(session: &str, why: &Status) -> String {
    match status::is_lost(why) {
        true => lost(session, why).0,
        false => refused(why.clone()),
    }
}

/// A reader that has seen enough ends the program as it ends any other, without a word.
fn unwritten(error: &std::io::Error) -> Result<u8, String> {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(NO_READER),
        _ => Err(format!("cannot write the program's output: {error}")),
    }
}

fn input(input: Input) -> AttachInput {
    AttachInput { input: Some(input) }
}

/// The name of the next signal, and the exit code that it means.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> (&'static str, u8) {
    tokio::select! {
        _ = interrupt.recv() => ("INT", INTERRUPTED),
        _ = terminate.recv() => ("TERM", TERMINATED),
    }
}

/// What a terminal's line discipline takes for the end of input at the beginning of a line (VEOF, Ctrl-d).
const END_OF_INPUT: u8 = 0x04;

/// `tty`: of the process. A terminal has no end of its own, so the key for it is typed; twice behind a line that is
/// not finished, where the first one only hands that over.
async fn send_stdin(sender: mpsc::Sender<AttachInput>, tty: bool) {
    let mut stdin = tokio::io::stdin();
    let mut last = b'\n';
    loop {
        let mut buffer = Vec::with_capacity(CHUNK);
        // What cannot be read has ended.
        let read = (&mut stdin).take(CHUNK as u64).read_buf(&mut buffer).await;
        let message = match read {
            Ok(0) | Err(_) if tty => Input::Data(end_of(last).into()),
            Ok(0) | Err(_) => Input::Close(Ready {}),
            Ok(_) => {
                last = buffer.last().copied().unwrap_or(last);
                Input::Data(buffer.into())
            }
        };
        let ends = !matches!(read, Ok(1..));
        if sender.send(input(message)).await.is_err() || ends {
            return;
        }
    }
}

/// What ends the input of a terminal after the byte `last`.
fn end_of(last: u8) -> Vec<u8> {
    let times = if last == b'\n' { 1 } else { 2 };
    vec![END_OF_INPUT; times]
}

/// Standard output or error.
struct Pipe<W> {
    to: W,
    /// On a terminal.
    filter: Option<escape::Filter>,
}

impl<W: Write> Pipe<W> {
    fn new(to: W, terminal: bool) -> Self {
        Self {
            to,
            filter: terminal.then(|| escape::Filter::new(true)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.filter {
            None => self.to.write_all(bytes)?,
            Some(filter) => {
                let mut text = String::with_capacity(bytes.len());
                filter.push(bytes, &mut text);
                filter.pause(&mut text);
                self.to.write_all(text.as_bytes())?;
            }
        }
        self.to.flush()
    }

    fn end(&mut self) -> std::io::Result<()> {
        if let Some(filter) = &mut self.filter {
            let mut text = String::new();
            filter.finish(&mut text);
            self.to.write_all(text.as_bytes())?;
        }
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_exact_in_pipes_and_harmless_on_a_terminal() {
        let bytes = b"a\x1b[2J\xff\0\r\nb\x1b[31mred";
        let mut out = Vec::new();
        let mut pipe = Pipe::new(&mut out, false);
        for byte in bytes {
            pipe.write(&[*byte]).unwrap();
        }
        pipe.end().unwrap();
        assert_eq!(out, bytes);

        let mut out = Vec::new();
        let mut pipe = Pipe::new(&mut out, true);
        for byte in bytes {
            pipe.write(&[*byte]).unwrap();
        }
        pipe.end().unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("a^[[2J\\xff^@\nb"), "{text:?}");
        assert!(text.ends_with("\x1b[0m"), "{text:?}");
    }

    #[test]
    fn who_loses_the_server_hears_how_to_come_back() {
        for (status, expected) in [
            (
                Status::unavailable(shell::CUT_OFF),
                "lost the buildx server: it ended the connection; a build that it ran can be brought back with: buildx debug reload s",
            ),
            (Status::not_found("no process \"x\""), "no process \"x\""),
        ] {
            assert_eq!(broken("s", &status), expected);
        }
    }

    #[test]
    fn exit_codes_are_passed_on() {
        let exited = |exit_code, reason: &str| Exited {
            exit_code,
            reason: reason.into(),
        };
        assert_eq!(ended(&exited(Some(0), "")), Ok(0));
        assert_eq!(ended(&exited(Some(137), "killed")), Ok(137));
        assert_eq!(ended(&exited(Some(-1), "")), Ok(1));
        assert_eq!(
            ended(&exited(None, "ended by pid 5")),
            Err("ended by pid 5".to_owned())
        );
    }
}
