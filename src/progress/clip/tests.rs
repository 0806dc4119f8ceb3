use super::*;

const MS: Nanos = 1_000_000;
const KIB200: usize = 200 * 1024;

fn marked(payload: usize, words: &str) -> Vec<u8> {
    let mut chunk = vec![b'x'; payload];
    chunk.extend(format!("\n[output clipped, log limit {words} reached]\n").bytes());
    chunk
}

/// The engine's rules: chunks with their times in, chunks as the client gets them out.
fn engine(writes: &[(Nanos, usize)], failed: bool) -> (Vec<(Nanos, Vec<u8>)>, usize) {
    let (mut count, mut clipping, mut out, mut received) = (0usize, false, Vec::new(), 0);
    let mut kept: Option<usize> = None;
    for (time, size) in writes {
        let seconds = (time + SECOND - 1) / SECOND;
        let speed = seconds.max(1) as usize * KIB200;
        let (max, words) = match speed < 2 << 20 {
            true => (speed, "200KiB/s"),
            false => (2 << 20, "2MiB"),
        };
        let old = count;
        count += size;
        let pass = if max < old { 0 } else { (*size).min(max - old) };
        if pass < *size || kept.is_some() {
            kept = Some((kept.unwrap_or(0) + size).min(256 * 1024));
        }
        received += pass;
        let clips = pass < *size && !clipping;
        clipping = pass < *size;
        if clips {
            out.push((*time, marked(pass, words)));
        } else if pass > 0 {
            out.push((*time, vec![b'x'; pass]));
        }
    }
    if let (true, Some(kept)) = (failed, kept) {
        out.push((writes.last().map_or(0, |w| w.0), vec![b'x'; kept]));
    }
    (out, count - received)
}

fn missing(writes: &[(Nanos, usize)], failed: bool) -> (Option<Missing>, u64) {
    let mut stream = Stream::default();
    let (chunks, dropped) = engine(writes, failed);
    for (time, chunk) in chunks {
        // The step started a little before the engine began to count.
        stream.push(-60 * MS, time, &chunk);
    }
    (stream.finish(failed), dropped as u64)
}

#[test]
fn nothing_clipped_nothing_missing() {
    assert_eq!(
        missing(&[(5 * MS, 1000), (2000 * MS, 90_000)], false).0,
        None
    );
    assert_eq!(missing(&[(5 * MS, 1000)], true).0, None);
}

/// A burst as a process writes it: many small writes at nearly one time.
fn burst(time: Nanos, size: usize) -> Vec<(Nanos, usize)> {
    let mut writes = vec![(time, 1000); size / 1000];
    if !size.is_multiple_of(1000) {
        writes.push((time, size % 1000));
    }
    writes
}

#[test]
fn between_two_markers_the_amount_is_exact() {
    // Seen with dockerd 26.1.5: 45,200 bytes were missing between the markers.
    let writes = [burst(40 * MS, 250_000), burst(1370 * MS, 300_000)].concat();
    let (got, _) = missing(&writes, false);
    let got = got.unwrap();
    assert_eq!((got.least, got.most), (250_000 - 204_800, None));
    assert!(
        got.sentence().contains("at least 45200 bytes"),
        "{}",
        got.sentence()
    );
}

#[test]
fn when_the_stream_goes_on_the_amount_is_bounded() {
    let mut writes = burst(40 * MS, 250_000);
    writes.extend([(1370 * MS, 1000), (1380 * MS, 1000), (5370 * MS, 1000)]);
    let (got, dropped) = missing(&writes, false);
    let got = got.unwrap();
    assert_eq!(dropped, 45_200);
    assert_eq!(got.most, Some(2 * 204_800 - 204_800 - 1000));
    assert!(
        got.sentence().contains("between 1 and 203800 bytes"),
        "{}",
        got.sentence()
    );
}

#[test]
fn at_the_end_nobody_knows() {
    let (got, _) = missing(&[(40 * MS, 4 << 20)], false);
    let got = got.unwrap();
    assert_eq!((got.least, got.most), (0, None));
    assert!(got.sentence().contains("does not tell how much"));
}

#[test]
fn the_total_limit_makes_all_before_it_exact() {
    let mut writes = burst(40 * MS, 250_000);
    writes.extend((1..15).flat_map(|s| burst(s * SECOND + 40 * MS, 150_000)));
    let (got, dropped) = missing(&writes, false);
    let got = got.unwrap();
    assert_eq!(got.limit, "2MiB");
    let beyond = 250_000 + 14 * 150_000 - (2u64 << 20);
    assert_eq!((got.least, got.most), (dropped - beyond, None));
    assert_eq!(got.least, 45_200);
}

#[test]
fn a_failed_step_has_its_end_repeated() {
    let (got, _) = missing(&[(40 * MS, 250_000)], true);
    let got = got.unwrap();
    assert_eq!(got.repeated, Some(250_000));
    assert!(got.sentence().contains("nothing is missing"));
    let (got, _) = missing(&burst(40 * MS, 900_000), true);
    assert!(
        got.unwrap()
            .sentence()
            .contains("before its last 262144 bytes")
    );
}

#[test]
fn a_log_that_only_looks_clipped_leads_to_no_number() {
    let mut stream = Stream::default();
    stream.push(0, 10 * MS, &marked(100, "200KiB/s"));
    stream.push(0, 20 * MS, &marked(100, "200KiB/s"));
    let got = stream.finish(false).unwrap();
    assert_eq!((got.least, got.most), (0, None));
    assert_eq!(
        marker(b"\n[output clipped, log limit much reached]\n"),
        None
    );
}

#[test]
fn limits_are_read() {
    assert_eq!(
        limit("2MiB").map(|l| (l.bytes, l.per_second)),
        Some((2 << 20, false))
    );
    assert_eq!(
        limit("200KiB/s").map(|l| (l.bytes, l.per_second)),
        Some((204_800, true))
    );
    assert_eq!(limit("1.5KiB").map(|l| l.bytes), Some(1536));
    assert_eq!(limit("-1"), None);
}

proptest::proptest! {
    /// Whatever a process writes, the real amount lies within what we say.
    #[test]
    fn the_truth_is_within_the_bounds(
        gaps in proptest::collection::vec((1i64..2500, 0usize..400_000), 1..12),
    ) {
        let mut time = 0;
        let writes: Vec<_> = gaps.iter().map(|(gap, size)| {
            time += gap * MS;
            (time, *size)
        }).collect();
        let (got, dropped) = missing(&writes, false);
        match got {
            None => proptest::prop_assert_eq!(dropped, 0),
            Some(got) => {
                proptest::prop_assert!(got.least <= dropped, "{:?} {}", got, dropped);
                if let Some(most) = got.most {
                    proptest::prop_assert!(dropped <= most, "{:?} {}", got, dropped);
                }
            }
        }
    }
}
