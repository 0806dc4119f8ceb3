//! A program of this machine in a tab: the user's shell, or an editor.

use std::io::{Read, Write};
use std::path::Path;

use bytes::Bytes;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tokio::sync::mpsc::Sender;

use super::super::msg::{Msg, ShellMsg, Tab};
use super::shell::Input;
use crate::proto::controller::attach_input::Input as In;
use crate::proto::controller::attach_output::Output;
use crate::proto::controller::{Caller, Exited, TerminalSize};

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;

fn pty_size(size: TerminalSize) -> PtySize {
    let cut = |count: u32| u16::try_from(count).unwrap_or(u16::MAX).max(1);
    PtySize {
        rows: cut(size.rows),
        cols: cut(size.cols),
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Starts a program with a terminal of its own. Reading, writing and waiting block, so each has a thread.
///
/// # Errors
/// It cannot be started; one line.
pub fn start(
    tab: Tab,
    words: &[String],
    directory: &Path,
    size: TerminalSize,
    caller: &Caller,
    sender: Sender<Msg>,
) -> Result<Input, String> {
    let program = words.first().ok_or("no program")?;
    let cannot = |error: &dyn std::fmt::Display| format!("cannot start {program}: {error}");
    let pair = native_pty_system()
        .openpty(pty_size(size))
        .map_err(|error| cannot(&error))?;
    let mut command = CommandBuilder::new(program);
    command.args(words.get(1..).unwrap_or_default());
    command.cwd(directory);
    command.env_clear();
    for (name, value) in &caller.environment {
        use std::os::unix::ffi::OsStrExt;
        command.env(name, std::ffi::OsStr::from_bytes(value));
    }
    command.env("TERM", "xterm-256color");
    let mut child = pair
        .slave
        .spawn_command(command)
        .map_err(|error| cannot(&error))?;
    drop(pair.slave);
    let mut reader = pair
        .master
        .try_clone_reader()
        .map_err(|error| cannot(&error))?;
    let mut writer = pair.master.take_writer().map_err(|error| cannot(&error))?;
    let mut killer = child.clone_killer();
    let (input, mut typed) = Input::queue();
    let threads = move || -> std::io::Result<()> {
        std::thread::Builder::new()
            .name("host reader".to_owned())
            .spawn(move || {
                let mut buffer = vec![0; CHUNK];
                while let Ok(count @ 1..) = reader.read(&mut buffer) {
                    let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
                    if sender
                        .blocking_send(Msg::Shell(tab, ShellMsg::Output(Output::Data(bytes))))
                        .is_err()
                    {
                        break;
                    }
                }
                let code = child
                    .wait()
                    .ok()
                    .and_then(|status| i32::try_from(status.exit_code()).ok());
                let exited = Exited {
                    exit_code: code,
                    reason: String::new(),
                };
                let _ =
                    sender.blocking_send(Msg::Shell(tab, ShellMsg::Output(Output::Exited(exited))));
            })?;
        let master = pair.master;
        std::thread::Builder::new()
            .name("host writer".to_owned())
            .spawn(move || {
                while let Some(input) = typed.blocking_recv() {
                    match input {
                        In::Data(bytes) => {
                            if writer.write_all(&bytes).is_err() {
                                break;
                            }
                        }
                        In::Resize(size) => {
                            let _ = master.resize(pty_size(size));
                        }
                        In::Start(_) | In::Signal(_) | In::Close(_) | In::Detach(_) => {}
                    }
                }
                // The tab is closed: what runs in it goes with it.
                let _ = killer.kill();
            })?;
        Ok(())
    };
    threads().map_err(|error| cannot(&error))?;
    Ok(input)
}
