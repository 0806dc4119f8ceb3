//! Where the steps of a build are written, as its frontend says.

use prost::Message;

use crate::engine::vertex;
use crate::proto::controller::{LineRange, SourceFile, SourceLocation, Sources};
use crate::proto::pb;

/// Most bytes of one file; a longer one is cut at the end of a line.
const FILE: usize = 1 << 20;

/// Most files.
const FILES: usize = 64;

/// Most bytes of all files.
const TEXT: usize = 2 << 20;

/// Most bytes of the whole message, so that it goes into one record of a trace.
const MOST: usize = 3 << 20;

/// Most ranges of one operation.
const RANGES: usize = 256;

/// The sources of a definition, in its order; `None` when the frontend tells none. Each operation is
/// there under both names that statuses may have for it.
pub(super) fn of(definition: &pb::Definition) -> Option<Sources> {
    let source = definition.source.as_ref()?;
    let mut sources = Sources {
        files: files(&source.infos),
        locations: Vec::new(),
    };
    let mut left = MOST.saturating_sub(sources.encoded_len());
    for op in &definition.def {
        let digest = vertex::digest(op);
        let Some(locations) = source.locations.get(&digest) else {
            continue;
        };
        for location in &locations.locations {
            let Some(found) = located(location, sources.files.len()) else {
                continue;
            };
            // Which one it is going to be is not known before it runs.
            for vertex in [digest.clone(), vertex::ignoring_cache(&digest)] {
                let found = SourceLocation {
                    vertex,
                    ..found.clone()
                };
                // A few bytes for the tag and length.
                let Some(rest) = left.checked_sub(found.encoded_len() + 8) else {
                    return Some(sources);
                };
                left = rest;
                sources.locations.push(found);
            }
        }
    }
    (!sources.locations.is_empty()).then_some(sources)
}

fn files(infos: &[pb::SourceInfo]) -> Vec<SourceFile> {
    let mut left = TEXT;
    let file = |info: &pb::SourceInfo| {
        let data = lines(&info.data, FILE.min(left));
        left -= data.len();
        SourceFile {
            name: info.filename.chars().take(4096).collect(),
            data: data.to_vec().into(),
            language: info.language.chars().take(256).collect(),
        }
    };
    infos.iter().take(FILES).map(file).collect()
}

/// The whole lines of `data` in its first `most` bytes.
fn lines(data: &[u8], most: usize) -> &[u8] {
    match data.get(..most) {
        Some(start) if start.len() < data.len() => {
            let end = start.iter().rposition(|&byte| byte == b'\n');
            start
                .get(..end.map_or(0, |end| end + 1))
                .unwrap_or_default()
        }
        _ => data,
    }
}

/// A location in one of so many files; `None` when it says nothing.
fn located(location: &pb::Location, files: usize) -> Option<SourceLocation> {
    let file = usize::try_from(location.source_index).ok()?;
    let ranges = location.ranges.iter().take(RANGES).filter_map(|range| {
        let line = |at: &Option<pb::Position>| u32::try_from(at.as_ref()?.line).ok();
        let start = line(&range.start).filter(|&line| line > 0)?;
        let end = line(&range.end).unwrap_or(start).max(start);
        Some(LineRange { start, end })
    });
    let mut joined: Vec<LineRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            // The lines of one instruction come one by one.
            Some(last)
                if range.start >= last.start && range.start <= last.end.saturating_add(1) =>
            {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    (file < files && !joined.is_empty()).then(|| SourceLocation {
        vertex: String::new(),
        file: u32::try_from(file).unwrap_or_default(),
        ranges: joined,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn range(start: i32, end: i32) -> pb::Range {
        let at = |line| Some(pb::Position { line, character: 0 });
        pb::Range {
            start: at(start),
            end: at(end),
        }
    }

    fn info(name: &str, data: Vec<u8>) -> pb::SourceInfo {
        pb::SourceInfo {
            filename: name.to_owned(),
            data,
            ..Default::default()
        }
    }

    /// A definition of so many operations, each at these places.
    fn definition(
        ops: u32,
        infos: Vec<pb::SourceInfo>,
        places: &[(i32, pb::Range)],
    ) -> pb::Definition {
        let def: Vec<Vec<u8>> = (0..ops).map(|op| op.to_le_bytes().to_vec()).collect();
        let place = |(source_index, range): &(i32, pb::Range)| pb::Location {
            source_index: *source_index,
            ranges: vec![*range],
        };
        let locations = pb::Locations {
            locations: places.iter().map(place).collect(),
        };
        let all = def.iter().map(|op| (vertex::digest(op), locations.clone()));
        pb::Definition {
            source: Some(pb::Source {
                locations: all.collect::<HashMap<_, _>>().into_iter().collect(),
                infos,
            }),
            def,
            ..Default::default()
        }
    }

    #[test]
    fn an_operation_is_found_under_both_of_its_names() {
        let file = info("Dockerfile", b"FROM x\nRUN y\n".to_vec());
        let definition = definition(2, vec![file], &[(0, range(2, 0))]);
        let sources = of(&definition).unwrap();
        assert_eq!(sources.files[0].name, "Dockerfile");
        assert_eq!(sources.files[0].data, "FROM x\nRUN y\n");
        let first = vertex::digest(&definition.def[0]);
        let names: Vec<_> = sources.locations.iter().map(|one| &one.vertex).collect();
        assert_eq!(names.len(), 4);
        assert_eq!(names[..2], [&first, &vertex::ignoring_cache(&first)]);
        assert_eq!(
            sources.locations[0].ranges,
            [LineRange { start: 2, end: 2 }]
        );
    }

    #[test]
    fn the_lines_of_an_instruction_are_one_range() {
        let lines = [(2, 2), (3, 3), (4, 6), (8, 8), (1, 1)];
        let place = pb::Location {
            source_index: 0,
            ranges: lines.map(|(start, end)| range(start, end)).to_vec(),
        };
        let ranges = located(&place, 1).unwrap().ranges;
        let ranges: Vec<_> = ranges.iter().map(|r| (r.start, r.end)).collect();
        assert_eq!(ranges, [(2, 6), (8, 8), (1, 1)]);
    }

    #[test]
    fn places_that_are_none_are_left_out() {
        let file = || info("Dockerfile", b"FROM x\n".to_vec());
        let none = [
            (1, range(1, 1)),
            (-1, range(1, 1)),
            (0, range(0, 1)),
            (0, range(-3, 1)),
            (0, pb::Range::default()),
        ];
        assert_eq!(of(&definition(1, vec![file()], &none)), None);
        assert_eq!(of(&pb::Definition::default()), None);
        assert_eq!(of(&definition(1, Vec::new(), &[(0, range(1, 1))])), None);
        let end = [(0, range(5, i32::MAX)), (0, range(5, -1))];
        let sources = of(&definition(1, vec![file()], &end)).unwrap();
        let ends: Vec<u32> = sources.locations.iter().map(|l| l.ranges[0].end).collect();
        assert_eq!(ends, [i32::MAX as u32, i32::MAX as u32, 5, 5]);
    }

    #[test]
    fn large_files_are_cut_at_a_line_and_the_whole_fits_a_record() {
        let long = || [&b"0123456789abcdef\n"[..]].repeat(100_000).concat();
        let infos = (0..100).map(|n| info(&format!("file {n}"), long()));
        let places = [(0, range(1, 1)), (63, range(1, 1)), (64, range(1, 1))];
        let definition = definition(20_000, infos.collect(), &places);
        let sources = of(&definition).unwrap();
        assert!(sources.encoded_len() <= MOST, "{}", sources.encoded_len());
        assert_eq!(sources.files.len(), FILES);
        let text: usize = sources.files.iter().map(|file| file.data.len()).sum();
        assert!(text <= TEXT && text > TEXT - 100, "{text}");
        assert!(sources.files[0].data.len() <= FILE && sources.files[0].data.ends_with(b"f\n"));
        assert!(sources.locations.len() > 5000);
        assert!(sources.locations.iter().all(|location| location.file < 64));
        assert_eq!(lines(&[b'x'; 9], 8), b"");
        assert_eq!(lines(b"x", 8), b"x");
    }
}
