//! What clients want of a process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::{Actor, Command, KILL, Phase};
use crate::proto::controller::attach_output::Output as Message;
use crate::proto::controller::{AttachStart, Client, TerminalSize};
use crate::server::process::input::{Chunk, ClientInput, Reader};
use crate::server::process::output::Output;
use crate::server::process::queue::Attached;
use crate::server::process::signal_name;
use crate::server::process::viewers::{VIEWERS, cells};

/// How long a size may take through the engine that was ahead of what is stuck there.
const SETTLE: Duration = Duration::from_millis(500);

impl Actor {
    /// Serves a request.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Attach {
                start,
                client,
                input,
                reply,
            } => {
                let attached = self.attach(&start, client, input);
                let _ = reply.send(attached);
            }
            Command::Lead { viewer, done } => {
                self.lead(viewer);
                let _ = done.send(());
            }
            Command::Resize { viewer, size } => {
                self.viewers.set_size(viewer, &size);
                let leader = *self.leader.borrow();
                if leader.is_none_or(|leader| leader == viewer) {
                    self.take_size(viewer);
                }
            }
            Command::ViewerSignal { viewer, name } => {
                let who = self
                    .viewers
                    .get(viewer)
                    .map(|viewer| viewer.client.in_words());
                match (signal_name(&name), who) {
                    (Ok(name), Some(who)) => self.signal(name, &who, None),
                    (Err(status), _) => self.viewers.notice(status.message(), None),
                    _ => {}
                }
            }
            Command::Detach { viewer } => self.viewers.end(viewer),
            Command::Signal { name, who, reply } => self.signal(name, &who, Some(reply)),
            Command::Kill { who, reply } => self.kill(&who, reply),
        }
    }

    fn attach(
        &mut self,
        start: &AttachStart,
        mut client: Client,
        input: ClientInput,
    ) -> Result<Attached, Status> {
        if self.viewers.len() >= VIEWERS {
            return Err(Status::resource_exhausted(format!(
                "{VIEWERS} clients are attached to this process: detach one first"
            )));
        }
        client.process.clone_from(&self.process.borrow().id);
        client.read_only = start.read_only;
        let runs = !matches!(self.phase, Phase::Ended);
        let size = start.size.as_ref().and_then(cells);
        let leads = runs && !start.read_only && size.is_some() && self.leader.borrow().is_none();
        if let (true, Some(size)) = (leads, size) {
            self.set_size(size);
        }
        self.draw();
        let exited = self.exited();
        let (viewer, receiver) = self
            .viewers
            .add(start, client, &self.output, exited.as_ref());
        if leads {
            self.leader.send_replace(Some(viewer));
        }
        self.list_clients(1);
        let commands = self.commands.upgrade().filter(|_| runs);
        let reading = match commands {
            Some(commands) => {
                let reader = Reader {
                    viewer,
                    read_only: start.read_only,
                    tty: self.tty,
                    stdin: self.stdin,
                    commands,
                    leader: self.leader.subscribe(),
                    writer: self.writer.clone(),
                };
                tokio::spawn(reader.read(input))
            }
            None => tokio::spawn(async {}),
        };
        Ok(receiver.attached(reading))
    }

    /// The viewer types: from now on its size counts, and the others are told.
    fn lead(&mut self, viewer: u64) {
        if *self.leader.borrow() == Some(viewer) {
            return;
        }
        let had = self.leader.send_replace(Some(viewer)).is_some();
        self.take_size(viewer);
        if let (true, Some(client)) = (had, self.viewers.get(viewer).map(|v| &v.client)) {
            let text = format!("{} types now", client.in_words());
            self.viewers.notice(&text, Some(viewer));
        }
    }

    fn take_size(&mut self, viewer: u64) {
        if let Some(size) = self.viewers.get(viewer).and_then(|viewer| viewer.size) {
            self.set_size(size);
        }
    }

    fn set_size(&mut self, size: (u16, u16)) {
        let (rows, cols) = size;
        let Output::Screen(screen) = &mut self.output else {
            return;
        };
        if screen.drawn().size() == size {
            return;
        }
        let effects = screen.resize(rows, cols);
        self.writer.resize(size);
        if let (true, Phase::Running(Some((pid, _)))) = (self.writer.may_be_stuck(), self.phase) {
            let (container, writer) = (Arc::clone(&self.container), self.writer.clone());
            tokio::spawn(async move {
                let mut set = (0, 0);
                // A later size may overtake this one on the other way.
                while set != writer.size() {
                    set = writer.size();
                    if !container.resize(pid, set.0, set.1).await {
                        return;
                    }
                }
                // An earlier one, which the engine had already, may arrive only now.
                sleep(SETTLE).await;
                let (rows, cols) = writer.size();
                container.resize(pid, rows, cols).await;
            });
        }
        let size = TerminalSize {
            rows: rows.into(),
            cols: cols.into(),
        };
        self.viewers.say(&Message::Resized(size));
        if effects.broken {
            self.viewers.renew();
        }
        self.change(|process| (process.rows, process.cols) = (size.rows, size.cols));
    }

    fn signal(
        &mut self,
        name: &'static str,
        who: &str,
        reply: Option<oneshot::Sender<Result<(), Status>>>,
    ) {
        let answer = |reply: Option<oneshot::Sender<_>>, result| {
            if let Some(reply) = reply {
                let _ = reply.send(result);
            }
        };
        let ids = match self.phase {
            Phase::Running(ids) => ids,
            Phase::Starting => None,
            Phase::Ended => {
                return answer(
                    reply,
                    Err(Status::failed_precondition("the process has ended")),
                );
            }
        };
        self.viewers.notice(&format!("{who} sent SIG{name}"), None);
        let lost = || {
            Err(Status::failed_precondition(
                "the program did not get the signal",
            ))
        };
        match ids {
            Some((pid, _)) => {
                let container = Arc::clone(&self.container);
                tokio::spawn(async move {
                    let sent = container.signal(pid, name).await;
                    answer(reply, if sent { Ok(()) } else { lost() });
                });
            }
            None => {
                let sent = self.out.is_none() && self.writer.signal(name);
                answer(reply, if sent { Ok(()) } else { lost() });
            }
        }
    }

    fn kill(&mut self, who: &str, reply: oneshot::Sender<()>) {
        if matches!(self.phase, Phase::Ended) {
            let _ = reply.send(());
            return;
        }
        self.waiting.push(reply);
        if self.killing.is_some() {
            return;
        }
        self.killing = Some(format!("killed by {who}"));
        match self.phase {
            Phase::Running(Some((pid, session))) => {
                let container = Arc::clone(&self.container);
                tokio::spawn(async move { container.kill(pid, session).await });
                if self.tty {
                    // Stopped output would hold up even the report of the end.
                    let go_on = Chunk::Data(Bytes::from_static(b"\x11"));
                    let _ = self.writer.try_send(go_on);
                }
                self.deadline = Some(Instant::now() + KILL);
            }
            _ => self.overdue(),
        }
    }
}
