//! Points in time as nanoseconds since 1970 (the engine's clock or ours), and spans between them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard_buildkit_proto::google::protobuf::Timestamp;

/// Nanoseconds since 1970-01-01.
pub type Nanos = i64;

/// One second.
pub const SECOND: Nanos = 1_000_000_000;

/// The engine's timestamp; absurd values are clamped, never an overflow.
pub fn nanos(stamp: &Timestamp) -> Nanos {
    stamp
        .seconds
        .saturating_mul(SECOND)
        .saturating_add(i64::from(stamp.nanos))
}

/// The way back, for messages that we make.
pub fn stamp(nanos: Nanos) -> Timestamp {
    Timestamp {
        seconds: nanos.div_euclid(SECOND),
        // Below 1e9 by construction.
        nanos: nanos.rem_euclid(SECOND) as i32,
    }
}

/// Reads an RFC 3339 time; `None` when it is none.
pub fn parse(stamp: &str) -> Option<Nanos> {
    let time = humantime::parse_rfc3339_weak(stamp).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Nanos::try_from(since.as_nanos()).ok()
}

/// Our clock.
pub fn now() -> Nanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Seconds of a span.
pub fn seconds(span: Nanos) -> f64 {
    span as f64 / SECOND as f64
}

/// A period in which a step was active; open while it still is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub start: Nanos,
    /// When it ended, if it did.
    pub stop: Option<Nanos>,
}

/// Intervals in order of time; those that touch or overlap are one. What follows an open interval is part of it.
pub fn merge(intervals: &[Interval]) -> Vec<Interval> {
    let mut sorted = intervals.to_vec();
    sorted.sort_by_key(|i| i.start);
    let mut merged: Vec<Interval> = Vec::with_capacity(sorted.len());
    for next in sorted {
        match merged.last_mut() {
            Some(Interval { stop: None, .. }) => break,
            Some(Interval {
                stop: Some(stop), ..
            }) if *stop < next.start => merged.push(next),
            Some(last) => {
                last.stop = match (last.stop, next.stop) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                }
            }
            None => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Nanos, stop: impl Into<Option<Nanos>>) -> Interval {
        Interval {
            start,
            stop: stop.into(),
        }
    }

    #[test]
    fn overlapping_intervals_count_once() {
        let merged = merge(&[at(10, 20), at(0, 5), at(15, 30), at(4, 6), at(16, 17)]);
        assert_eq!(merged, [at(0, 6), at(10, 30)]);
    }

    #[test]
    fn an_open_interval_takes_all_that_follows() {
        assert_eq!(merge(&[at(5, 7), at(0, None)]), [at(0, None)]);
        assert_eq!(merge(&[at(0, 5), at(4, None), at(9, 10)]), [at(0, None)]);
        assert_eq!(merge(&[]), []);
    }

    #[test]
    fn stamps_survive_the_round_trip() {
        for n in [0, 1, -1, 1_700_000_000_123_456_789] {
            assert_eq!(nanos(&stamp(n)), n);
        }
        let absurd = Timestamp {
            seconds: i64::MAX,
            nanos: i32::MIN,
        };
        assert!(nanos(&absurd) > 0);
    }
}
