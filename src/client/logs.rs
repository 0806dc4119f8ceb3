//! The log of a build, printed as the build itself prints it, or only of some steps.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::Api;
use super::follow::{Lost, Out, View, follow};
use crate::progress::settings::Settings;
use crate::proto::controller::{Outcome, TraceRequest};

/// Longest begin of a line that is looked at; a longer name is matched as far as it goes.
const LONGEST: usize = 64 << 10;

/// Which log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Session.
    pub session: String,
    /// Steps whose number is this, or whose name has it in it; all without one.
    pub step: Option<String>,
    /// Wait for what is still to come.
    pub follow: bool,
}

/// Prints the log of the session's last build to `out`. How the build ended comes back if it has.
///
/// # Errors
/// There is no such session or step, the server was lost, or `out` takes no more for another reason than that nobody
/// reads it.
pub async fn print(
    api: &Api,
    wanted: Wanted,
    settings: Settings,
    out: Out,
) -> Result<Option<Outcome>, Lost> {
    let broken = CancellationToken::new();
    let why = Arc::new(OnceLock::new());
    let (breaks, reason) = (broken.clone(), Arc::clone(&why));
    let out = move || Fragile {
        to: out(),
        broken: breaks.clone(),
        why: Arc::clone(&reason),
    };
    let found = Arc::new(AtomicBool::new(false));
    let out: Out = match wanted.step.clone() {
        None => Box::new(move || Box::new(out())),
        Some(step) => {
            let found = Arc::clone(&found);
            Box::new(move || Box::new(Only::new(&step, Arc::clone(&found), out())))
        }
    };
    let request = TraceRequest {
        session: wanted.session,
        no_follow: !wanted.follow,
        ..TraceRequest::default()
    };
    // Who reads a log does not stop the build.
    let never = CancellationToken::new();
    let mut view = View::new(settings, out);
    let end = tokio::select! {
        end = follow(api, request, &mut view, &never) => end?,
        () = broken.cancelled() => None,
    };
    if let Some(why) = why.get() {
        return Err(Lost(format!("cannot write the log: {why}")));
    }
    // Nobody reads any more, as behind `| head`.
    if broken.is_cancelled() {
        return Ok(None);
    }
    match wanted.step {
        Some(step) if !found.load(Ordering::Relaxed) => Err(Lost(no_step(&step, end.is_some()))),
        _ => Ok(end),
    }
}

/// What is said when nothing was printed; `ended`: the build, so that no more steps come.
fn no_step(step: &str, ended: bool) -> String {
    let yet = if ended { "" } else { " so far" };
    format!("no step with the number or name {step:?} has begun{yet}")
}

/// Says when writing has failed.
struct Fragile {
    to: Box<dyn Write + Send>,
    broken: CancellationToken,
    /// Why, unless nobody reads any more.
    why: Arc<OnceLock<String>>,
}

impl Fragile {
    fn seen<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = self.why.set(error.to_string());
            }
            self.broken.cancel();
        }
        result
    }
}

impl Write for Fragile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.to.write(bytes);
        self.seen(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.to.flush();
        self.seen(result)
    }
}

/// Lets through the plain printer's lines of some steps: `#7 ...`.
struct Only<W> {
    step: String,
    number: Option<u64>,
    known: HashSet<u64>,
    kept: HashSet<u64>,
    /// Set when there is a step to keep.
    found: Arc<AtomicBool>,
    /// Begin of a line.
    line: Vec<u8>,
    to: W,
}

impl<W: Write> Only<W> {
    fn new(step: &str, found: Arc<AtomicBool>, to: W) -> Self {
        Self {
            number: step.strip_prefix('#').unwrap_or(step).parse().ok(),
            step: step.to_owned(),
            known: HashSet::new(),
            kept: HashSet::new(),
            found,
            line: Vec::new(),
            to,
        }
    }

    fn line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let Some((number, rest)) = text
            .strip_prefix('#')
            .and_then(|text| text.split_once(' '))
            .and_then(|(number, rest)| Some((number.parse::<u64>().ok()?, rest)))
        else {
            return Ok(());
        };
        // The first line of a step is its name.
        if number != 0
            && self.known.insert(number)
            && (self.number == Some(number) || rest.contains(&self.step))
        {
            self.kept.insert(number);
            self.found.store(true, Ordering::Relaxed);
        }
        if self.kept.contains(&number) {
            self.to.write_all(&line)?;
            self.to.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Only<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                self.line()?;
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(step: &str, text: &str) -> String {
        let mut out = Vec::new();
        let mut filter = Only::new(step, Arc::default(), &mut out);
        for chunk in text.as_bytes().chunks(3) {
            filter.write_all(chunk).unwrap();
        }
        drop(filter);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn steps_by_number_and_by_name() {
        let text = "#0 building with \"b\" instance using docker driver\n\n\
                    #1 [1/2] RUN make\n#1 0.1 RUN test\n\n#2 [2/2] RUN test\n#2 0.2 ok\n#1 DONE 1.0s\n\
                    ------\n > [2/2] RUN test:\n";
        assert_eq!(
            only("make", text),
            "#1 [1/2] RUN make\n#1 0.1 RUN test\n#1 DONE 1.0s\n"
        );
        assert_eq!(only("#2", text), "#2 [2/2] RUN test\n#2 0.2 ok\n");
        assert_eq!(only("RUN test", text), "#2 [2/2] RUN test\n#2 0.2 ok\n");
        assert_eq!(only("7", text), "");
    }
}
