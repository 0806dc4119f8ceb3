//! What is said of a build before its monitor opens: which step, in which state, as whom and where.

use super::exec::has_state;
use super::listing;
use crate::progress::words::Name;
use crate::proto::controller::{BuildFailure, Outcome, Process, State, outcome};

/// What is known when the monitor opens.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// How the build ended; absent for a session that this client did not build.
    pub outcome: Option<&'a Outcome>,
    /// Name of the failed step; may be empty.
    pub step: &'a str,
    /// The process that was started.
    pub process: Option<&'a Process>,
}

/// The lines of the header.
pub fn lines(scene: &Scene<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    match scene.outcome.and_then(|outcome| outcome.end.as_ref()) {
        Some(outcome::End::Failed(failure)) => lines.extend(failed(failure, scene.step)),
        Some(outcome::End::Finished(_)) => lines.push("The build has succeeded.".to_owned()),
        Some(outcome::End::Canceled(_)) | None => {}
    }
    if let Some(process) = scene.process {
        lines.push(in_words(process));
    }
    lines
}

/// The same as sentences for a screen reader, which has heard how the build ended.
pub fn sentences(scene: &Scene<'_>) -> Vec<String> {
    let end = scene.outcome.and_then(|outcome| outcome.end.as_ref());
    let state = match end {
        Some(outcome::End::Failed(failure)) if has_state(failure) => {
            let step = match scene.step {
                "" => "the failed step".to_owned(),
                step => Name::of(step).within(),
            };
            Some(match failure.state() {
                State::Before => format!("the state before {step}"),
                State::After | State::Unspecified => format!("the failed state of {step}"),
            })
        }
        Some(outcome::End::Finished(_)) => Some("the finished image".to_owned()),
        _ => None,
    };
    let Some(process) = scene.process else {
        return Vec::new();
    };
    let mut line = format!(
        "The program {} runs",
        listing::plain(&process.arguments.join(" "))
    );
    if let Some(state) = state {
        line.push_str(&format!(" in {state}"));
    }
    if !process.user.is_empty() {
        line.push_str(&format!(", as {}", listing::plain(&process.user)));
    }
    if !process.directory.is_empty() {
        line.push_str(&format!(
            ", in the directory {}",
            listing::plain(&process.directory)
        ));
    }
    if !process.platform.is_empty() {
        line.push_str(&format!(", on {}", listing::plain(&process.platform)));
    }
    line.push('.');
    let mut lines = vec![line];
    if let Some(outcome::End::Failed(failure)) = end
        && has_state(failure)
        && failure.state() != State::Before
    {
        lines.push("The command \"rollback --init\" goes to the state before it.".to_owned());
    }
    lines
}

fn failed(failure: &BuildFailure, step: &str) -> Vec<String> {
    let mut what = match step {
        "" => "The build has failed".to_owned(),
        step => format!("Failed: {}", listing::plain(step)),
    };
    // The last source is the Dockerfile that the user named; its first range is the instruction.
    if let Some(source) = failure.sources.last()
        && let Some(range) = source.ranges.first()
    {
        what.push_str(&format!(
            " ({}:{})",
            listing::plain(&source.filename),
            range.start
        ));
    }
    if let Some(code) = failure.process_exit_code {
        what.push_str(&format!(", exit code {code}"));
    }
    let mut lines = vec![what];
    if has_state(failure) {
        lines.push(match failure.state() {
            State::Before => "State: before the failed step.".to_owned(),
            State::After | State::Unspecified => {
                "State: as the failed step left it; \"rollback --init\" shows the one before it."
                    .to_owned()
            }
        });
    }
    lines
}

fn in_words(process: &Process) -> String {
    let mut line = format!("Process: {}", listing::command(process));
    if !process.user.is_empty() {
        line.push_str(&format!(" as {}", listing::plain(&process.user)));
    }
    if !process.directory.is_empty() {
        line.push_str(&format!(" in {}", listing::plain(&process.directory)));
    }
    if !process.platform.is_empty() {
        line.push_str(&format!(" on {}", listing::plain(&process.platform)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::controller::{Finished, LineRange, SourceExcerpt};

    fn outcome(end: outcome::End) -> Outcome {
        Outcome {
            end: Some(end),
            exit_code: 1,
        }
    }

    #[test]
    fn a_failed_step_with_its_place_state_and_process() {
        let failure = BuildFailure {
            process_exit_code: Some(2),
            state: State::After.into(),
            sources: vec![SourceExcerpt {
                filename: "Dockerfile".into(),
                ranges: vec![LineRange { start: 5, end: 6 }],
                ..SourceExcerpt::default()
            }],
            ..BuildFailure::default()
        };
        let process = Process {
            arguments: vec!["/bin/sh".into(), "\x1b[2J".into()],
            user: "1000".into(),
            directory: "/srv/app".into(),
            ..Process::default()
        };
        let outcome = outcome(outcome::End::Failed(failure));
        let scene = Scene {
            outcome: Some(&outcome),
            step: "[2/2] RUN make",
            process: Some(&process),
        };
        assert_eq!(
            lines(&scene),
            [
                "Failed: [2/2] RUN make (Dockerfile:5), exit code 2",
                "State: as the failed step left it; \"rollback --init\" shows the one before it.",
                "Process: [/bin/sh ^[[2J] as 1000 in /srv/app",
            ]
        );
    }

    #[test]
    fn sentences_say_where_the_program_runs() {
        let mut failure = BuildFailure {
            state: State::After.into(),
            ..BuildFailure::default()
        };
        let process = Process {
            arguments: vec!["/bin/sh".into(), "\x1b[2J".into()],
            user: "1000".into(),
            directory: "/srv/app".into(),
            ..Process::default()
        };
        let said = |failure: &BuildFailure, step| {
            sentences(&Scene {
                outcome: Some(&outcome(outcome::End::Failed(failure.clone()))),
                step,
                process: Some(&process),
            })
        };
        assert_eq!(
            said(&failure, "[build 2/2] RUN make"),
            [
                "The program /bin/sh ^[[2J runs in the failed state of step 2 of 2 in build, as 1000, in the directory /srv/app.",
                "The command \"rollback --init\" goes to the state before it.",
            ]
        );
        failure.set_state(State::Before);
        assert_eq!(
            said(&failure, ""),
            [
                "The program /bin/sh ^[[2J runs in the state before the failed step, as 1000, in the directory /srv/app."
            ]
        );
        let nothing = Scene {
            outcome: None,
            step: "",
            process: None,
        };
        assert_eq!(sentences(&nothing), [""; 0]);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let failed = outcome(outcome::End::Failed(BuildFailure::default()));
        let scene = |outcome| Scene {
            outcome,
            step: "",
            process: None,
        };
        assert_eq!(lines(&scene(Some(&failed))), ["The build has failed"]);
        let finished = outcome(outcome::End::Finished(Finished::default()));
        assert_eq!(lines(&scene(Some(&finished))), ["The build has succeeded."]);
        assert_eq!(lines(&scene(None)), [""; 0]);
    }
}
