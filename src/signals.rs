//! The signals that a process in a session can be sent.

/// Their names without `SIG`, those first that people want most. Every engine and shell knows them.
pub const SIGNALS: [&str; 12] = [
    "INT", "TERM", "KILL", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "WINCH", "ALRM", "TSTP",
];
