//! Terminals that are known to tell keys apart (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>). Others are not
//! asked: to wait for an answer would delay the screen, and some print what they do not understand.

/// Names in `TERM`, without what follows a dash behind them.
const NAMES: &[&str] = &[
    "xterm-kitty",
    "xterm-ghostty",
    "ghostty",
    "foot",
    "alacritty",
    "wezterm",
    "contour",
    "rio",
];

/// Names in `TERM_PROGRAM`, of terminals that call themselves xterm in `TERM`.
const PROGRAMS: &[&str] = &["WezTerm", "ghostty", "iTerm.app", "rio"];

/// Whether the user's terminal tells keys apart when it is asked to; `get` gives variables of the environment. Those that
/// cannot although they are on the list (old ones, or by their configuration) take no notice.
pub fn disambiguates<'a>(get: impl Fn(&str) -> Option<&'a str>) -> bool {
    let term = get("TERM").unwrap_or_default();
    let named = NAMES.iter().any(|name| {
        term.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    // Within another terminal (tmux, screen) the program's name is of the one around it.
    let program = get("TERM_PROGRAM").unwrap_or_default();
    named || term.starts_with("xterm") && PROGRAMS.contains(&program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_their_names() {
        for (term, program, expected) in [
            ("xterm-kitty", "", true),
            ("foot-extra", "", true),
            ("footless", "", false),
            ("xterm-256color", "WezTerm", true),
            ("tmux-256color", "WezTerm", false),
            ("xterm-256color", "Apple_Terminal", false),
            ("linux", "", false),
            ("", "", false),
        ] {
            let get = |name: &str| match name {
                "TERM" => Some(term),
                "TERM_PROGRAM" => Some(program),
                _ => None,
            };
            assert_eq!(disambiguates(get), expected, "{term} {program}");
        }
    }
}
