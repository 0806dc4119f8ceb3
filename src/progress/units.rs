//! Sizes and times in the words of the printers.

use super::time::{Nanos, seconds};

/// A size in decimal units: `383B`, `1.23kB`, `45.60MB`.
pub fn bytes(size: i64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if size.unsigned_abs() < 1000 {
        return format!("{size}B");
    }
    let mut value = size as f64;
    let mut unit = "";
    for name in UNITS {
        if value.abs() < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = name;
    }
    format!("{value:.2}{unit}")
}

/// A number of things, with its noun: `1 step`, `3 steps`.
pub fn count(things: impl TryInto<u64>, noun: &str) -> String {
    match things.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        things => format!("{things} {noun}s"),
    }
}

/// How far something is: `12.00MB / 45.60MB`, `12.00MB` if the whole is not known, empty if nothing is.
pub fn amount(current: i64, total: i64) -> String {
    match (current, total) {
        (0, 0) => String::new(),
        (current, 0) => bytes(current),
        (current, total) => format!("{} / {}", bytes(current), bytes(total)),
    }
}

/// Seconds with the precision of log times: three decimals under 10, two under 100, else one.
pub fn log_time(span: Nanos) -> String {
    let s = seconds(span);
    if s < 10.0 {
        format!("{s:.3}")
    } else if s < 100.0 {
        format!("{s:.2}")
    } else {
        format!("{s:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(count(0_usize, "step"), "0 steps");
        assert_eq!(count(1_u64, "step"), "1 step");
        assert_eq!(count(2_u32, "step"), "2 steps");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0B");
        assert_eq!(bytes(383), "383B");
        assert_eq!(bytes(1234), "1.23kB");
        assert_eq!(bytes(45_600_000), "45.60MB");
        assert_eq!(amount(0, 0), "");
        assert_eq!(amount(0, 2000), "0B / 2.00kB");
        assert_eq!(amount(33, 0), "33B");
        assert_eq!(bytes(i64::MAX), "9.22EB");
        assert_eq!(bytes(i64::MIN), "-9.22EB");
    }

    #[test]
    fn log_times() {
        assert_eq!(log_time(91_000_000), "0.091");
        assert_eq!(log_time(12_340_000_000), "12.34");
        assert_eq!(log_time(123_400_000_000), "123.4");
    }
}
