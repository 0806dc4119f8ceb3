//! The signals that a process in a session can be sent.

/// Their names without `SIG`, those first that people want most. Every engine and shell knows them.
pub const SIGNALS: [&str; 12] = [
    "INT", "TERM", "KILL", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "WINCH", "ALRM", "TSTP",
];

/// The signals that end programs, with their numbers on Linux.
const NUMBERS: [(i32, &str); 17] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (24, "XCPU"),
    (31, "SYS"),
];

/// The signal that an exit code stands for, as shells count: 128 and its number. Without `SIG`; none for other codes.
pub fn of_exit_code(code: i32) -> Option<&'static str> {
    let number = code.checked_sub(128)?;
    let found = NUMBERS.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| *name)
}
