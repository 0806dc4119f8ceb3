//! The user's time zone: log times of day are local.

use std::io::Read;
use std::sync::Arc;

use tz::timezone::TimeZoneSettings;
use tz::{DateTime, TimeZone};

/// Most bytes of a zone's file; the largest have a few thousand.
const LARGEST: u64 = 1 << 20;

/// A time zone. Copies are cheap.
#[derive(Clone, Debug)]
pub struct Zone(Arc<TimeZone>);

impl Zone {
    /// The zone that `TZ` names (a name such as `Europe/Berlin`, a file, or a POSIX rule), or that of this machine
    /// without it. What cannot be read is UTC, as it is in libc.
    pub fn of(variable: Option<&str>) -> Self {
        let settings = TimeZoneSettings::new(TimeZoneSettings::DEFAULT_DIRECTORIES, |path| {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?
                .take(LARGEST)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let zone = match variable {
            None => settings.parse_local(),
            Some("") => Ok(TimeZone::utc()),
            Some(name) => settings.parse_posix_tz(name),
        };
        Self(Arc::new(zone.unwrap_or_else(|_| TimeZone::utc())))
    }

    /// Universal time.
    pub fn utc() -> Self {
        Self(Arc::new(TimeZone::utc()))
    }

    fn at(&self, milliseconds: i64) -> Option<DateTime> {
        DateTime::from_timespec(milliseconds.div_euclid(1000), 0, self.0.as_ref().as_ref()).ok()
    }

    /// The time of day: `14:03:07.123`; milliseconds are since 1970.
    pub fn time(&self, milliseconds: i64) -> String {
        let Some(at) = self.at(milliseconds) else {
            return "--:--:--.---".to_owned();
        };
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        let rest = milliseconds.rem_euclid(1000);
        format!("{hour:02}:{minute:02}:{second:02}.{rest:03}")
    }

    /// Date, time and distance to UTC (RFC 3339): `2026-11-26T14:03:07.123+01:00`.
    pub fn date(&self, milliseconds: i64) -> String {
        let Some(at) = self.at(milliseconds) else {
            return "-".to_owned();
        };
        let minutes = at.local_time_type().ut_offset() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
        let (year, month, day) = (at.year(), at.month(), at.month_day());
        let time = self.time(milliseconds);
        format!("{year:04}-{month:02}-{day:02}T{time}{sign}{hours:02}:{rest:02}")
    }

    /// What it is called at a time: `CET`, `UTC`, `+03`.
    pub fn name(&self, milliseconds: i64) -> String {
        let at = self.at(milliseconds);
        let name = at.map_or(String::new(), |at| {
            at.local_time_type().time_zone_designation().to_owned()
        });
        match name.as_str() {
            "" => "UTC".to_owned(),
            _ => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01 12:00:00.5 UTC and 2026-12-01 12:00:00.5 UTC.
    const SUMMER: i64 = 1_782_907_200_500;
    const WINTER: i64 = 1_796_126_400_500;

    #[test]
    fn a_rule_has_summers_and_winters() {
        let zone = Zone::of(Some("CET-1CEST,M3.5.0,M10.5.0/3"));
        assert_eq!(zone.date(SUMMER), "2026-07-01T14:00:00.500+02:00");
        assert_eq!(zone.date(WINTER), "2026-12-01T13:00:00.500+01:00");
        assert_eq!(
            (zone.name(SUMMER), zone.name(WINTER)),
            ("CEST".to_owned(), "CET".to_owned())
        );
        let zone = Zone::of(Some("NST3:30"));
        assert_eq!(zone.date(SUMMER), "2026-07-01T08:30:00.500-03:30");
        assert_eq!(zone.time(SUMMER), "08:30:00.500");
    }

    #[test]
    fn what_cannot_be_read_is_utc() {
        for variable in ["", "no such zone", "/dev/zero", "/proc/self/mem", "UTC0"] {
            let zone = Zone::of(Some(variable));
            assert_eq!(
                zone.date(WINTER),
                "2026-12-01T12:00:00.500+00:00",
                "{variable}"
            );
            assert_eq!(zone.name(WINTER), "UTC", "{variable}");
        }
        assert_eq!(Zone::utc().time(-1), "23:59:59.999");
    }

    #[test]
    fn hostile_times_break_nothing() {
        for time in [i64::MIN, i64::MAX, 0] {
            for zone in [Zone::utc(), Zone::of(Some("CET-1CEST,M3.5.0,M10.5.0/3"))] {
                assert!(!zone.time(time).is_empty());
                assert!(!zone.date(time).is_empty());
                assert!(!zone.name(time).is_empty());
            }
        }
    }
}
