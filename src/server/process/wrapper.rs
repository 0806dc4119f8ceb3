//! The shell scripts that run beside programs in a container.
//!
//! An engine ends a container with its first process, and when any process ends with an error. So
//! the first one is the *keeper*, which lives as long as its standard input and passes signals on,
//! and every program has a wrapper that always ends with 0 and reports process id and exit code in
//! the output (see [`super::marker`]). All of it is POSIX shell, and builtins except for `stty`.
//!
//! An engine whose write to a terminal nobody reads any more never ends: it keeps the container for
//! ever, and 20 times a second it kills whatever process of its machine has got the number of the
//! program by then (seen with BuildKit 0.12). So the wrapper of a terminal stops itself until the
//! keeper, which can read from any terminal, has taken out what is in there.

use super::marker::Piece;

/// `$1` nonce, then the program; `SHELL` stands for the words of the shell. The traps do nothing, but
/// unlike ignored signals they are not inherited; the wrapper only has to outlive them. Its own
/// standard error is closed to what shells say of killed children.
const WRAP: &str = r#"n=$1; shift
trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE
exec 3>&2 2>/dev/null
SHELL -c 'exec 2>&3 3>&-; printf "\033_%s;s;%s;%s\033\\" "$1" "$$" "$PPID"; shift; exec "$@"' buildx "$n" "$@" 3>&3
c=$?
trap "" TTOU
printf '\033_%s;e;%s\033\\' "$n" "$c"
"#;

/// Says that nothing more comes on standard error, either; a terminal has one output only.
const QUIET: &str = r#"printf '\033_%s;e\033\\' "$n" >&3
"#;

/// Waits for `f` or `d` of the keeper.
const HOLD: &str = "kill -s STOP $$\n";

/// `$1` nonce. One line in, one report out, in order: `s SIGNAL PID` sends a signal, `k PID SESSION`
/// kills a program and all that share its session but the leader (the wrapper), `c USER GROUP PATH`
/// looks a user up (`-` for one that needs no look), `m PATH` makes a directory, `w PID ROWS COLS` sets a terminal's size,
/// `f SESSION` lets a wrapper end as soon as it has stopped, `d SESSION WORD` does so after a line with that word has
/// been read from its terminal, and all before it. The
/// reader runs in a child, so that the first process reaps orphans, and comes back when it is killed.
const KEEP: &str = r#"n=$1
say() { printf '\033_%s;%s\033\\' "$n" "$1"; }
free() { while read -r l <"/proc/$1/stat"; do case ${l##*") "} in T*) kill -s CONT "$1"; break ;; esac; done; }
drain() { stty raw -echo; while read -r l; do case $l in *"$1"*) break ;; esac; done; }
has() { while IFS=: read -r x _ || [ -n "$x" ]; do [ "$x" = "$2" ] && return 0; done <"$1"; return 1; }
exec 3<&0 2>/dev/null
say ready
while :; do
(while read -r c a b d; do
case $c in
s) kill -s "$a" "$b" ;;
k) kill -s KILL "$a"
for f in /proc/[0-9]*; do
p=${f#/proc/}
read -r l <"$f/stat" || continue
set -- ${l##*") "}
[ "$4" = "$b" ] && [ "$p" != "$b" ] && kill -s KILL "$p"
done
: ;;
c) r=ok
[ "$a" = - ] || has /etc/passwd "$a" || r=user
[ "$b" = - ] || has /etc/group "$b" || r=group
[ -d "$d" ] || r=path
[ -r /etc/passwd ] && [ -r /etc/group ] || r=$r,none
say "$r"; continue ;;
m) mkdir -p "$a${b:+ $b}${d:+ $d}" ;;
w) stty rows "$b" cols "$d" <"/proc/$a/fd/0" ;;
f) free "$a" & ;;
d) { drain "$b" <"/proc/$a/fd/0"; free "$a"; } & ;;
esac
say "$?"
done) <&3 & wait $! && exit 0
done"#;

/// Arguments that run `program` so that its end does not end the container. `shell` is a shell with
/// its leading words, such as `/busybox sh`.
pub fn wrapped(shell: &[String], nonce: &str, program: &[String], tty: bool) -> Vec<String> {
    let script = WRAP.replacen("SHELL", &shell_words::join(shell), 1);
    let end = if tty { HOLD } else { QUIET };
    let mut arguments = shell.to_vec();
    arguments.extend(["-c".to_owned(), format!("{script}{end}exit 0")]);
    arguments.extend(["buildx".to_owned(), nonce.to_owned()]);
    arguments.extend_from_slice(program);
    arguments
}

/// Arguments of the keeper.
pub fn keeper(shell: &[String], nonce: &str) -> Vec<String> {
    let mut arguments = shell.to_vec();
    arguments.extend(["-c", KEEP, "buildx", nonce].map(str::to_owned));
    arguments
}

/// What a wrapper says about its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It starts: its process id and its session, as seen inside.
    Started {
        /// Process id of the program.
        pid: u32,
        /// Process id of the wrapper, which leads the session.
        session: u32,
    },
    /// It ended with this code.
    Ended(i32),
    /// Nothing more comes on this stream.
    Quiet,
}

/// Reads a report of a wrapper; `None` for what no wrapper says.
pub fn said(text: &str) -> Option<Said> {
    let mut words = text.split(';');
    let said = match (words.next()?, words.next(), words.next()) {
        ("s", Some(pid), Some(session)) => Said::Started {
            pid: pid.parse().ok()?,
            session: session.parse().ok()?,
        },
        ("e", Some(code), None) => Said::Ended(code.parse().ok()?),
        ("e", None, None) => Said::Quiet,
        _ => return None,
    };
    words.next().is_none().then_some(said)
}

/// The reports among the pieces of a keeper's output, which prints nothing else.
pub fn answers(pieces: Vec<Piece>) -> impl Iterator<Item = String> {
    pieces.into_iter().filter_map(|piece| match piece {
        Piece::Report(text) => Some(text),
        Piece::Output(_) => None,
    })
}

#[cfg(test)]
mod tests;
