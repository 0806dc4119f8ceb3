//! How a build ended, in the words of the contract.

use super::build::{End, Open, Ran};
use super::place;
use super::session::record::State;
use crate::build::results;
use crate::engine::errors::BuildError;
use crate::proto::controller;
use crate::proto::controller::outcome::End as Kind;
use crate::term::escape;

/// The outcome for clients; `by` says who canceled the build.
pub fn of(ran: &Ran, by: &str) -> controller::Outcome {
    let canceled = BuildError::canceled();
    let (end, exit_code) = match &ran.end {
        End::Finished {
            response,
            build_ref,
        } => (
            Kind::Finished(controller::Finished {
                response: response.clone().into_iter().collect(),
                build_ref: build_ref.clone(),
            }),
            0,
        ),
        End::Refused(line) => (
            Kind::Failed(controller::BuildFailure {
                message: line.clone(),
                refused: true,
                no_state: "there was no build".to_owned(),
                ..Default::default()
            }),
            1,
        ),
        End::Failed(error, hints) => (
            Kind::Failed(failure(error, hints, ran)),
            u32::from(results::exit_code(error)),
        ),
        End::Canceled => (
            Kind::Canceled(controller::Canceled { by: by.to_owned() }),
            u32::from(results::exit_code(&canceled)),
        ),
    };
    controller::Outcome {
        end: Some(end),
        exit_code,
    }
}

fn failure(error: &BuildError, hints: &[String], ran: &Ran) -> controller::BuildFailure {
    // A place as it would be for a process that asks for nothing.
    let found = match &ran.open {
        Some(Open::Failed(failed)) => Some(place::find(&failed.state, &Default::default())),
        _ => None,
    };
    let state = match &found {
        Some(Ok(place)) => place.state,
        _ => controller::State::Unspecified,
    };
    let no_state = match (&found, ran.no_state.as_str()) {
        (Some(Ok(_)), _) => String::new(),
        (Some(Err(status)), _) => status.message().to_owned(),
        (None, "") => place::why_no_state(error)
            .unwrap_or_else(|| "the engine kept nothing of the failed step".to_owned()),
        (None, why) => why.to_owned(),
    };
    controller::BuildFailure {
        code: error.code as u32,
        message: error.message.clone(),
        vertex: error.vertex.clone().unwrap_or_default(),
        sources: error
            .sources
            .iter()
            .map(|source| controller::SourceExcerpt {
                filename: source.filename.clone(),
                data: source.data.clone().into(),
                ranges: source
                    .ranges
                    .iter()
                    .map(|range| controller::LineRange {
                        start: range.start,
                        end: range.end,
                    })
                    .collect(),
            })
            .collect(),
        process_exit_code: error.exit_code,
        hints: hints.to_vec(),
        refused: false,
        state: state as i32,
        no_state,
    }
}

/// The state of a session after such an end.
pub fn state(end: &End) -> State {
    match end {
        End::Finished { .. } => State::Succeeded,
        End::Refused(_) | End::Failed(..) => State::Failed,
        End::Canceled => State::Canceled,
    }
}

/// The end in one filtered line.
pub fn line(end: &End) -> String {
    let text = match end {
        End::Finished { .. } | End::Canceled => "",
        End::Refused(line) => line,
        End::Failed(error, _) => &error.message,
    };
    escape::line(text.lines().next().unwrap_or_default()).into_owned()
}

/// What a listing says beside the state.
pub fn reason(end: &End) -> String {
    match end {
        End::Failed(error, _) if error.message.starts_with("lost the connection") => {
            "lost connection to builder; reload builds it again".to_owned()
        }
        End::Refused(_) => line(end),
        _ => String::new(),
    }
}
