//! Sizes and process limits as docker writes them.

use std::collections::BTreeMap;

use super::Invalid;
use crate::build::suggest::did_you_mean;

/// A size such as `64m`, `1.5GiB` or `1024`, in bytes; the units are powers of 1024.
///
/// # Errors
/// Not a size, or one that 63 bits cannot hold.
pub fn size(text: &str) -> Result<u64, Invalid> {
    let invalid = || Invalid(format!("invalid size: '{text}'"));
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let shift = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(invalid()),
    };
    let bytes = number * (1_u64 << shift) as f64;
    if !bytes.is_finite() || bytes >= i64::MAX as f64 {
        return Err(invalid());
    }
    Ok(bytes as u64)
}

/// The limits that `setrlimit` knows, by docker's names.
const LIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Process limits by name: soft and hard, `-1` for unlimited.
pub type Ulimits = BTreeMap<String, (i64, i64)>;

/// Adds `name=soft[:hard]`; the last one of a name counts.
///
/// # Errors
/// No such limit, no numbers, or a soft limit above the hard one.
pub fn add_ulimit(limits: &mut Ulimits, text: &str) -> Result<(), Invalid> {
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| Invalid(format!("invalid ulimit argument: {text}")))?;
    if !LIMITS.contains(&name) {
        let near = did_you_mean(name, LIMITS);
        return Err(Invalid(format!("invalid ulimit type: {name}{near}")));
    }
    let number = |text: &str| {
        text.parse::<i64>()
            .map_err(|_| Invalid(format!("{text:?} is no number")))
    };
    let (soft, hard) = match values.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(values)?, number(values)?),
    };
    if hard != -1 && (soft > hard || soft == -1) {
        return Err(Invalid(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )));
    }
    limits.insert(name.to_owned(), (soft, hard));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table = [
            ("64m", Some(64 << 20)),
            ("1g", Some(1 << 30)),
            ("1.5k", Some(1536)),
            ("1024", Some(1024)),
            ("0", Some(0)),
            ("2 GiB", Some(2 << 30)),
            ("10MB", Some(10 << 20)),
            ("foo", None),
            ("-1", None),
            ("", None),
            ("1x", None),
            ("1.2.3", None),
            ("9999999p", None),
        ];
        for (text, bytes) in table {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        assert_eq!(size("foo").unwrap_err().to_string(), "invalid size: 'foo'");
    }

    #[test]
    fn ulimits() {
        let mut limits = Ulimits::new();
        for text in ["nofile=5:7", "core=0", "nofile=6", "nproc=-1", "stack=1:-1"] {
            add_ulimit(&mut limits, text).unwrap();
        }
        assert_eq!(limits["nofile"], (6, 6));
        assert_eq!(limits["core"], (0, 0));
        assert_eq!(limits["nproc"], (-1, -1));
        assert_eq!(limits["stack"], (1, -1));
        let mut refused = |text| add_ulimit(&mut limits, text).unwrap_err().to_string();
        assert_eq!(refused("foo"), "invalid ulimit argument: foo");
        assert_eq!(refused("foo=1"), "invalid ulimit type: foo");
        assert_eq!(
            refused("nofiles=1"),
            "invalid ulimit type: nofiles (did you mean nofile?)"
        );
        assert_eq!(
            refused("nofile=10:5"),
            "ulimit soft limit must be less than or equal to hard limit: 10 > 5"
        );
        assert_eq!(refused("nofile=x"), "\"x\" is no number");
    }
}
