//! How much of a step's log the engine has dropped.
//!
//! BuildKit counts what a process writes to one stream. It lets the stream through up to a limit, which is either a
//! total (2 MiB unless configured) or a speed times the begun seconds (200 KiB), writes
//! `[output clipped, log limit … reached]` once, and drops the rest until the limit has grown past
//! its count. It never tells the count. But where a marker stands, the count is exactly the limit: so between two
//! markers the dropped amount is the difference of the limits minus what was received. After the last marker it is
//! only bounded if the stream went on, and not known if it did not.
//!
//! When the process fails the engine sends the last 256 KiB that were written since the first drop once
//! more; if that is less than 256 KiB, nothing is missing at all.
//!
//! Times and limits are the engine's words, so what is computed from them saturates.

use super::time::{Nanos, SECOND};

/// What the engine keeps for a failed process, in bytes.
const REPEATED: u64 = 256 * 1024;

/// What is known about the bytes that a log lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The engine's own words for its limit, as `200KiB/s`.
    pub limit: String,
    /// At least that many bytes.
    pub least: u64,
    /// At most that many; None if nobody knows.
    pub most: Option<u64>,
    /// The process failed, and the engine has sent that many bytes of the end of the output again.
    pub repeated: Option<u64>,
}

impl Missing {
    /// One sentence for people, without the step's name.
    pub fn sentence(&self) -> String {
        let limit = &self.limit;
        let cure = "set BUILDKIT_STEP_LOG_MAX_SIZE=-1 and BUILDKIT_STEP_LOG_MAX_SPEED=-1 in the builder's environment to keep all of it";
        if let Some(repeated) = self.repeated {
            if repeated < REPEATED {
                return format!(
                    "… nothing is missing: the builder clipped the output at its log limit of {limit}, and repeated the clipped part when the step failed"
                );
            }
            return format!(
                "… output is missing before its last {repeated} bytes, which the builder repeated when the step failed: it does not tell how much (log limit {limit}); {cure}"
            );
        }
        match (self.least, self.most) {
            (least, Some(most)) if least >= most => format!(
                "… {most} bytes of output are missing here (the builder's log limit of {limit}); {cure}"
            ),
            (least, Some(most)) => format!(
                "… between {} and {most} bytes of output are missing here (the builder's log limit of {limit}); {cure}",
                least.max(1)
            ),
            (0 | 1, None) => format!(
                "… output is missing here (the builder's log limit of {limit}), and the builder does not tell how much; {cure}"
            ),
            (least, None) => format!(
                "… at least {least} bytes of output are missing here (the builder's log limit of {limit}), and the builder does not tell how much it dropped at the end; {cure}"
            ),
        }
    }
}

/// A limit as the engine words it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit {
    bytes: u64,
    per_second: bool,
}

/// Follows one output stream of one process.
#[derive(Debug, Default)]
pub struct Stream {
    /// Start of the step and time of the first chunk: the engine began to count between them.
    began: Option<(Nanos, Nanos)>,
    received: u64,
    clip: Option<Clip>,
    /// The chunk that came last is not counted yet: for a failed process it is the repetition.
    last: Option<(Nanos, u64)>,
}

#[derive(Debug)]
struct Clip {
    words: String,
    limit: Limit,
    /// Engine's count at the last marker, least and most.
    count: (u64, u64),
    /// Bytes received since the last marker.
    since: u64,
    /// Least and most dropped bytes before the last marker.
    dropped: (u64, u64),
    /// The latest chunk after the last marker: in which second it came, and the most bytes dropped before it.
    went_on: Option<(u64, u64)>,
    /// Most bytes dropped after the last marker, once a chunk was surely whole.
    after: Option<u64>,
    /// The numbers fit the engine's rules so far.
    sound: bool,
}

impl Stream {
    /// Takes a chunk with its timestamp; `started` is when the step started.
    pub fn push(&mut self, started: Nanos, time: Nanos, chunk: &[u8]) {
        self.began.get_or_insert((started, time));
        if let Some((time, size)) = self.last.take() {
            self.count(time, size);
        }
        match marker(chunk) {
            None => self.last = Some((time, chunk.len() as u64)),
            Some((payload, words, limit)) => self.clipped(time, payload, words, limit),
        }
    }

    fn clipped(&mut self, time: Nanos, payload: u64, words: &str, limit: Limit) {
        self.received += payload;
        let seconds = self.seconds(time);
        match &mut self.clip {
            None => {
                let (count, sound) = match limit.per_second {
                    false => (limit.bytes, self.received == limit.bytes),
                    true => (self.received, self.received.is_multiple_of(limit.bytes)),
                };
                if sound && limit.per_second {
                    self.narrow(time, self.received / limit.bytes);
                }
                self.clip = Some(Clip {
                    words: words.to_string(),
                    limit,
                    count: (count, count),
                    since: 0,
                    dropped: (0, 0),
                    went_on: None,
                    after: None,
                    sound,
                });
            }
            Some(clip) => {
                clip.since += payload;
                let count = match limit.per_second {
                    false => (limit.bytes, limit.bytes),
                    true => (
                        seconds.0.saturating_mul(limit.bytes),
                        seconds.1.saturating_mul(limit.bytes),
                    ),
                };
                let least = count.0.checked_sub(clip.count.1.saturating_add(clip.since));
                let most = count.1.checked_sub(clip.count.0.saturating_add(clip.since));
                match most {
                    None => clip.sound = false,
                    Some(most) => {
                        clip.dropped.0 = clip.dropped.0.saturating_add(least.unwrap_or(0));
                        clip.dropped.1 = clip.dropped.1.saturating_add(most);
                    }
                }
                clip.words = words.to_string();
                clip.limit = limit;
                clip.count = count;
                clip.since = 0;
                clip.went_on = None;
                clip.after = None;
            }
        }
    }

    fn count(&mut self, time: Nanos, size: u64) {
        self.received += size;
        let seconds = self.seconds(time);
        if let Some(clip) = &mut self.clip {
            clip.since += size;
            if !clip.limit.per_second || clip.after.is_some() {
                return;
            }
            if let Some((second, most)) = clip.went_on
                && seconds == (second, second)
            {
                clip.after = Some(most);
                return;
            }
            let limit = seconds.1.saturating_mul(clip.limit.bytes);
            match limit.checked_sub(clip.count.0.saturating_add(clip.since)) {
                None => clip.sound = false,
                Some(most) if seconds.0 == seconds.1 => clip.went_on = Some((seconds.0, most)),
                Some(_) => clip.went_on = None,
            }
        }
    }

    /// Begun seconds of the engine's count at a time, least and most.
    fn seconds(&self, time: Nanos) -> (u64, u64) {
        let (earliest, latest) = self.began.unwrap_or((time, time));
        let begun = |since: Nanos| {
            let span = u64::try_from(time.saturating_sub(since)).unwrap_or(0);
            span.div_ceil(SECOND as u64).max(1)
        };
        (begun(latest), begun(earliest))
    }

    /// At `time` exactly that many seconds had begun: that tells more about the begin.
    fn narrow(&mut self, time: Nanos, seconds: u64) {
        if let (Some((earliest, latest)), Ok(seconds)) = (&mut self.began, Nanos::try_from(seconds))
        {
            *earliest = (*earliest).max(time.saturating_sub(seconds.saturating_mul(SECOND)));
            *latest = (*latest).min(time.saturating_sub((seconds - 1).saturating_mul(SECOND)));
        }
    }

    /// What is missing, now that the process has ended. None if the engine clipped nothing.
    pub fn finish(mut self, failed: bool) -> Option<Missing> {
        let mut repeated = None;
        if let Some((time, size)) = self.last.take() {
            if failed && self.clip.is_some() {
                repeated = Some(size);
            } else {
                self.count(time, size);
            }
        }
        let clip = self.clip?;
        let (least, most) = match (clip.sound, clip.after) {
            (false, _) => (0, None),
            (true, None) => (clip.dropped.0, None),
            (true, Some(after)) => (clip.dropped.0, Some(clip.dropped.1.saturating_add(after))),
        };
        Some(Missing {
            limit: clip.words,
            least,
            most,
            repeated,
        })
    }
}

/// The engine's marker at the end of a chunk: payload before it in bytes, its words, the limit.
fn marker(chunk: &[u8]) -> Option<(u64, &str, Limit)> {
    const HEAD: &[u8] = b"\n[output clipped, log limit ";
    const TAIL: &[u8] = b" reached]\n";
    let front = chunk.strip_suffix(TAIL)?;
    // The words are short: no need to search a whole chunk.
    let window = front.len().saturating_sub(64);
    let at = front
        .get(window..)?
        .windows(HEAD.len())
        .rposition(|w| w == HEAD)?
        + window;
    let words = std::str::from_utf8(front.get(at + HEAD.len()..)?).ok()?;
    Some((at as u64, words, limit(words)?))
}

/// `200KiB/s`, `2MiB`, `1.5GiB`, `1000B`.
fn limit(words: &str) -> Option<Limit> {
    let (size, per_second) = match words.strip_suffix("/s") {
        Some(size) => (size, true),
        None => (words, false),
    };
    let digits = size
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(size.len());
    let (number, unit) = size.split_at(digits);
    let unit = match unit {
        "B" => 1u64,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    (1.0..1e15).contains(&bytes).then_some(Limit {
        bytes: bytes.round() as u64,
        per_second,
    })
}

#[cfg(test)]
mod tests;
