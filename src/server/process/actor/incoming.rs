//! What comes from the engine: output and reports of the program, and its end.

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;

use super::{Actor, LAG, MESSAGE, Phase, QUIET, Read, SLICE, WORDS};
use crate::engine::errors;
use crate::proto::controller::Ready;
use crate::proto::controller::attach_output::Output as Message;
use crate::proto::gateway::exec_message::Input;
use crate::server::process::container::{LOST, is_lost, is_missing_program};
use crate::server::process::input::Chunk;
use crate::server::process::marker::Piece;
use crate::server::process::output::Output;
use crate::server::process::replay::Stream;
use crate::server::process::wrapper::{Said, said};

impl Actor {
    /// Takes what the stream gave.
    pub(super) fn receive(&mut self, message: Read) {
        self.handled += MESSAGE;
        let input = match message {
            Ok(Some(message)) => message.input,
            Ok(None) => return self.cut_off(LOST),
            Err(status) if is_lost(&status) => return self.cut_off(LOST),
            Err(status) => return self.cut_off(&errors::text(&status)),
        };
        match input {
            Some(Input::Started(_)) if self.out.is_none() => self.start(None),
            Some(Input::File(file)) => {
                let stream = if file.fd == 2 {
                    Stream::Error
                } else {
                    Stream::Out
                };
                if !file.data.is_empty() {
                    let data = self.join(file.fd, file.data);
                    self.take(stream, data);
                }
                if file.eof && self.out.is_none() {
                    self.close(stream);
                }
            }
            Some(Input::Exit(exit)) => {
                let code = i32::try_from(exit.code).unwrap_or(255);
                let said = exit.error.map(|error| error.message).unwrap_or_default();
                if self.out.is_none() {
                    self.code.get_or_insert(code);
                    self.finish_if_complete();
                } else {
                    // Output may still come, and the engine waits for the end of the input.
                    let input = self.engine_input.clone();
                    tokio::spawn(async move { input.close_stdin().await });
                    if code != 0 && self.code.is_none() {
                        self.broken = Some(match self.phase {
                            Phase::Starting => format!("it did not start: {said}"),
                            _ => "the container ended".to_owned(),
                        });
                        self.deadline = Some(Instant::now() + LAG);
                    }
                }
            }
            Some(Input::Done(_)) => {
                self.stream = None;
                let reason = "the program ended without a word";
                match self.out {
                    None => self.finish(self.code, ""),
                    Some(_) => self.cut_off(reason),
                }
            }
            _ => {}
        }
    }

    /// Output that is there already, joined up to a slice.
    fn join(&mut self, fd: u32, mut data: Vec<u8>) -> Bytes {
        while data.len() < SLICE {
            let Some(stream) = &mut self.stream else {
                break;
            };
            let Some(mut read) = stream.message().now_or_never() else {
                break;
            };
            if let Ok(Some(message)) = &mut read
                && let Some(Input::File(file)) = &mut message.input
                && file.fd == fd
                && !file.eof
            {
                data.append(&mut file.data);
            } else {
                self.ahead = Some(read);
                break;
            }
        }
        Bytes::from(data)
    }

    fn take(&mut self, stream: Stream, data: Bytes) {
        self.handled += data.len();
        let reports = match stream {
            Stream::Out => &mut self.out,
            Stream::Error => &mut self.error,
        };
        let pieces = match reports {
            Some(reports) => reports.push(data),
            None => vec![Piece::Output(data)],
        };
        for piece in pieces {
            match piece {
                Piece::Output(bytes) => self.print(stream, bytes),
                Piece::Report(text) => match said(&text) {
                    Some(Said::Started { pid, session }) => self.start(Some((pid, session))),
                    Some(Said::Ended(code)) => {
                        self.code.get_or_insert(code);
                        self.close(stream);
                    }
                    Some(Said::Quiet) => self.close(stream),
                    None => {}
                },
            }
        }
    }

    fn start(&mut self, ids: Option<(u32, u32)>) {
        if matches!(self.phase, Phase::Starting) {
            self.phase = Phase::Running(ids);
            if let Some(started) = self.started.take() {
                let _ = started.send(Ok(()));
            }
            for bytes in std::mem::take(&mut self.early) {
                self.print(Stream::Error, bytes);
            }
        }
    }

    /// Shows output of the program, once it has started.
    pub(super) fn print(&mut self, stream: Stream, bytes: Bytes) {
        match self.phase {
            Phase::Starting => {
                let room = WORDS.saturating_sub(self.words.len());
                self.words.extend(bytes.iter().take(room));
                let early: usize = self.early.iter().map(Bytes::len).sum();
                if self.error.is_some() && early < self.settings.retained {
                    self.early.push(bytes);
                }
                return;
            }
            Phase::Running(_) => {}
            Phase::Ended => return,
        }
        match &mut self.output {
            Output::Plain(replay) => {
                if self.out.is_none() && self.words.len() < WORDS && stream == Stream::Error {
                    self.words.extend(bytes.iter().take(WORDS));
                }
                replay.push(stream, bytes);
                self.viewers.settle(&self.output, None);
            }
            Output::Screen(screen) => {
                // Viewers first: what they see must not wait for our own screen.
                self.viewers.terminal(&bytes);
                let effects = screen.feed(&bytes);
                self.quiet = Instant::now() + QUIET;
                if !effects.replies.is_empty() {
                    let replies = Chunk::Data(Bytes::from(effects.replies));
                    let _ = self.writer.try_send(replies);
                }
                if effects.bells > 0 {
                    self.viewers.say(&Message::Bell(Ready {}));
                }
                if let Some(text) = effects.clipboard {
                    self.viewers.say(&Message::Clipboard(Bytes::from(text)));
                }
                if let Some(title) = effects.title {
                    self.change(|process| process.title = title);
                }
                if effects.broken {
                    self.viewers.renew();
                }
            }
            Output::Final(_) => {}
        }
    }

    /// Nothing more comes on a stream.
    fn close(&mut self, stream: Stream) {
        let index = usize::from(stream == Stream::Error);
        if let Some(open) = self.open.get_mut(index) {
            *open = false;
        }
        self.finish_if_complete();
    }

    fn finish_if_complete(&mut self) {
        let [out, error] = self.open;
        if self.code.is_some() && !out && (self.tty || !error) {
            let code = self.code.map(|code| self.corrected(code));
            self.finish(code, "");
        }
    }

    /// Without a wrapper, the engine's runtime answers 1 for a program that is not there.
    fn corrected(&self, code: i32) -> i32 {
        let words = String::from_utf8_lossy(&self.words);
        match code {
            1 | 255 if self.out.is_none() && is_missing_program(&words) => {
                if words.contains("permission denied") {
                    126
                } else {
                    127
                }
            }
            code => code,
        }
    }

    /// What the engine's runtime said instead of starting the program.
    pub(super) fn not_started(&self) -> Option<String> {
        let words = String::from_utf8_lossy(&self.words);
        let words = words.trim().replace('\n', " ");
        let starting = matches!(self.phase, Phase::Starting);
        (starting && !words.is_empty()).then(|| format!("it did not start: {words}"))
    }

    /// The stream ended, or the process did, without a word of its wrapper: whoever ended the
    /// container says why, soon.
    fn cut_off(&mut self, reason: &str) {
        self.stream = None;
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        if let Some(reason) = self.not_started() {
            return self.finish(None, &reason);
        }
        if reason == LOST && self.killing.is_none() {
            return self.finish(None, LOST);
        }
        self.broken.get_or_insert_with(|| reason.to_owned());
        self.deadline = Some(Instant::now() + LAG);
    }
}
