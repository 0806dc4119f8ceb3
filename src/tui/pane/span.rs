//! Spans of time in few cells.

use crate::progress::time::{Nanos, SECOND};

/// To the tenth while it is short: `0.4s`, `59.9s`, `2m05s`, `1h02m`, `3d04h`.
pub fn exact(span: Nanos) -> String {
    let tenths = span.max(0) / (SECOND / 10);
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    long(tenths / 10)
}

/// In whole seconds: `0s`, `59s`, `2m05s`, `1h02m`.
pub fn short(span: Nanos) -> String {
    long(span.max(0) / SECOND)
}

/// In one unit, for narrow places: `41s`, `3m`, `2h`, `5d`.
pub fn rough(span: Nanos) -> String {
    let seconds = span.max(0) / SECOND;
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn long(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (seconds, exactly, shortly, roughly) in [
            (-1.0, "0.0s", "0s", "0s"),
            (0.06, "0.0s", "0s", "0s"),
            (18.29, "18.2s", "18s", "18s"),
            (59.99, "59.9s", "59s", "59s"),
            (60.0, "1m00s", "1m00s", "1m"),
            (125.4, "2m05s", "2m05s", "2m"),
            (3725.0, "1h02m", "1h02m", "1h"),
            (100_000.0, "1d03h", "1d03h", "27h"),
            (1_000_000.0, "11d13h", "11d13h", "11d"),
        ] {
            let span = (seconds * SECOND as f64) as Nanos;
            assert_eq!(exact(span), exactly);
            assert_eq!(short(span), shortly);
            assert_eq!(rough(span), roughly);
        }
        assert_eq!(exact(Nanos::MAX), "106751d23h");
    }
}
