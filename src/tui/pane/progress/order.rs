//! The order of the steps: what prepares the build, the stages as the Dockerfile has them, and everything else.

use std::collections::HashMap;

use super::super::super::session::Build;
use crate::progress::name::{Belongs, belongs};
use crate::progress::trace::{Step, StepId};

/// Platforms that are told apart.
const PLATFORMS: usize = 64;

/// The visible steps of a build in order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// From first to last, those that prepare the build first.
    pub steps: Vec<StepId>,
    /// How many of them prepare the build.
    pub internal: usize,
    /// For each of them: its platform, by its index.
    pub platform: Vec<Option<usize>>,
    /// The platforms that names tell, in order of first sight.
    pub platforms: Vec<String>,
}

/// Where a stage begins.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    /// File and line of its first step that is known.
    line: Option<(usize, u32)>,
    /// How many stages were seen before it.
    seen: usize,
}

/// What a step is sorted by besides its stage.
struct Place<'a> {
    step: StepId,
    class: u8,
    stage: &'a str,
    platform: Option<usize>,
    number: u32,
}

impl Order {
    /// Sorts the steps. A stage is where its first line is; without sources, stages are in the order in which they were
    /// seen.
    pub fn of(build: &Build) -> Self {
        let mut stages: HashMap<&str, Stage> = HashMap::new();
        let mut platforms: Vec<&str> = Vec::new();
        let visible = build.trace.steps.iter().enumerate();
        let visible = visible.filter(|(_, step)| !step.hidden);
        let mut places: Vec<Place> = visible
            .map(|(id, step)| place(build, id, step, &mut stages, &mut platforms))
            .collect();
        let known = stages.values().any(|stage| stage.line.is_some());
        places.sort_by_cached_key(|place| {
            let stage = stages.get(place.stage).copied().unwrap_or_default();
            let line = match known {
                true => stage.line.unwrap_or((usize::MAX, 0)),
                false => (0, 0),
            };
            (
                place.class,
                line,
                stage.seen,
                place.platform,
                place.number,
                place.step,
            )
        });
        Self {
            internal: places.iter().filter(|place| place.class == 0).count(),
            steps: places.iter().map(|place| place.step).collect(),
            platform: places.iter().map(|place| place.platform).collect(),
            platforms: platforms.into_iter().map(str::to_owned).collect(),
        }
    }
}

fn place<'a>(
    build: &Build,
    id: StepId,
    step: &'a Step,
    stages: &mut HashMap<&'a str, Stage>,
    platforms: &mut Vec<&'a str>,
) -> Place<'a> {
    let mut place = Place {
        step: id,
        class: 0,
        stage: "",
        platform: None,
        number: 0,
    };
    match belongs(&step.name) {
        Belongs::Internal => {}
        Belongs::Other => place.class = if step.local { 3 } else { 2 },
        Belongs::Stage {
            platform,
            stage,
            number,
        } => {
            let line = line(build, step);
            let seen = stages.len();
            let known = stages.entry(stage).or_insert(Stage { line, seen });
            known.line = match (known.line, line) {
                (Some(known), Some(line)) => Some(known.min(line)),
                (known, line) => known.or(line),
            };
            place.class = 1;
            place.stage = stage;
            place.number = number;
            place.platform = platform.and_then(|platform| {
                let known = platforms.iter().position(|known| *known == platform);
                if known.is_none() && platforms.len() < PLATFORMS {
                    platforms.push(platform);
                    return Some(platforms.len() - 1);
                }
                known
            });
        }
    }
    place
}

/// File and first line of a step.
fn line(build: &Build, step: &Step) -> Option<(usize, u32)> {
    let (file, ranges) = build.places.get(&step.digest)?;
    let first = ranges.iter().map(|range| range.start).min()?;
    Some((*file, first))
}
