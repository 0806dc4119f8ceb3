//! What the server says of its clients, told to one of them.

use std::borrow::Cow;

use crate::proto::controller::Client;

/// The line with `you` for this client where it begins with it or ends by it, as in `pid 12 on /dev/pts/3 sent SIGHUP`
/// and `killed by pid 12`. `terminal` is this client's; empty without one.
pub fn you<'a>(line: &'a str, terminal: &str) -> Cow<'a, str> {
    let own = Client {
        pid: std::process::id(),
        terminal: terminal.to_owned(),
        ..Client::default()
    };
    let own = own.in_words();
    let begins = line.strip_prefix(&own);
    if let Some(rest) = begins.filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
        return Cow::Owned(format!("you{rest}"));
    }
    let ends = line.strip_suffix(&own);
    match ends.filter(|rest| rest.ends_with(" by ")) {
        Some(rest) => Cow::Owned(format!("{rest}you")),
        None => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_client_is_you() {
        let pid = std::process::id();
        let line = format!("pid {pid} on /dev/pts/0 sent SIGHUP");
        assert_eq!(you(&line, "/dev/pts/0"), "you sent SIGHUP");
        assert_eq!(you(&line, "/dev/pts/1"), line);
        assert_eq!(you(&line, "/dev/pts"), line);
        let line = format!("pid {pid}0 sent SIGHUP");
        assert_eq!(you(&line, ""), line);
        assert_eq!(you(&format!("pid {pid}"), ""), "you");
        assert_eq!(you(&format!("killed by pid {pid}"), ""), "killed by you");
        let line = format!("killed by pid {pid}0");
        assert_eq!(you(&line, ""), line);
        assert_eq!(you("", ""), "");
    }
}
