//! Writes that may wait for a terminal or a pipe, made where others need the thread.

use std::io::{self, Write};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does what may block. On a thread of a runtime with several, what else that thread has to do goes on on another one
/// meanwhile; elsewhere this is no more than a call.
pub fn blocking<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// A writer whose writes are [`blocking`].
#[derive(Debug)]
pub struct Blocking<W>(pub W);

impl<W: Write> Write for Blocking<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocking(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(|| self.0.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_a_write_blocks() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let blocked = tokio::spawn(async move { blocking(|| receiver.recv()) });
        // On the only thread, behind the one that waits for it.
        let other = tokio::spawn(async move { sender.send(7) });
        assert_eq!(blocked.await.unwrap(), Ok(7));
        other.await.unwrap().unwrap();
    }
}
