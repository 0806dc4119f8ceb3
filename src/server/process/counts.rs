//! How much goes on in a session, for those who wait for changes.

use tokio::sync::watch;

/// Numbers of a session's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes that run.
    pub processes: usize,
    /// Clients that are attached to a process.
    pub clients: usize,
    /// Grows with every change of the list of processes, also of those that leave the numbers alone.
    pub revision: u64,
}

/// Where processes report what changes the numbers.
#[derive(Clone, Debug)]
pub struct Counter(watch::Sender<Counts>);

impl Counter {
    /// Nothing runs.
    pub fn new() -> Self {
        Self(watch::Sender::new(Counts::default()))
    }

    /// The numbers as they change.
    pub fn subscribe(&self) -> watch::Receiver<Counts> {
        self.0.subscribe()
    }

    /// Adds to the numbers; zeros only say that something has changed.
    pub fn add(&self, processes: i64, clients: i64) {
        let sum = |number: usize, more: i64| {
            number.saturating_add_signed(isize::try_from(more).unwrap_or_default())
        };
        self.0.send_modify(|counts| {
            counts.processes = sum(counts.processes, processes);
            counts.clients = sum(counts.clients, clients);
            counts.revision += 1;
        });
    }
}
