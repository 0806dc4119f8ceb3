//! What an engine says when a build fails: a gRPC status → [`BuildError`].
//!
//! The details of BuildKit's statuses are JSON inside `google.protobuf.Any`, recognised by the end
//! of the type URL. The same detail may come several times and empty.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status};

use super::dial::chain;
use crate::proto::RpcStatus;

/// What engines say of all that is cancelled, for whatever reason.
pub const CANCELED: &str = "context canceled";

/// A failed build, decoded.
#[derive(Clone, Debug)]
pub struct BuildError {
    /// The gRPC code; `Unknown` for nearly every failure of a build.
    pub code: Code,
    /// What went wrong, without the wrapping of gRPC.
    pub message: String,
    /// Digest of the vertex that failed.
    pub vertex: Option<String>,
    /// Places in Dockerfiles that led to the failure, outermost last.
    pub sources: Vec<Source>,
    /// The failed step's operation and the ids of its mounts, for a container on its state.
    pub exec: Option<FailedExec>,
    /// Exit code of the process of the failed step.
    pub exit_code: Option<u32>,
    /// Whether this side cancelled the build.
    pub canceled: bool,
}

/// A source file and the lines in it that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the file as the frontend knows it.
    pub filename: String,
    /// The whole file, in bytes as sent.
    pub data: Vec<u8>,
    /// The lines that matter; several for an instruction on several lines.
    pub ranges: Vec<LineRange>,
}

/// A range of lines, both ends included, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRange {
    /// First line.
    pub start: u32,
    /// Last line.
    pub end: u32,
}

/// The operation that failed and what is left of it on the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedExec {
    /// The operation in protojson; its `exec` field holds meta, mounts and network.
    pub op: serde_json::Value,
    /// Per mount of the exec: ref id of the state before the step, empty where there is none.
    pub input_ids: Vec<String>,
    /// Per mount of the exec: ref id of the state after the failure, empty where there is none.
    pub mount_ids: Vec<String>,
}

impl BuildError {
    /// An error of this side, without details of an engine.
    pub fn local(message: impl Into<String>) -> Self {
        Self {
            code: Code::Unknown,
            message: message.into(),
            vertex: None,
            sources: Vec::new(),
            exec: None,
            exit_code: None,
            canceled: false,
        }
    }

    /// The build was cancelled by this side.
    pub fn canceled() -> Self {
        Self {
            code: Code::Cancelled,
            canceled: true,
            ..Self::local("Canceled: context canceled")
        }
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

/// Decodes the status of a failed solve. Details that this side does not know are skipped.
pub fn decode(status: &Status) -> BuildError {
    let mut error = BuildError {
        code: status.code(),
        ..BuildError::local(text(status))
    };
    // The message of the encoded status is complete where HTTP headers may have cut it.
    let details = RpcStatus::decode(status.details()).unwrap_or_default();
    for any in &details.details {
        let kind = any.type_url.rsplit('/').next().unwrap_or_default();
        match kind {
            "errdefs.Solve+json" => keep_best_exec(&mut error.exec, &any.value),
            "errdefs.Source+json" => error.sources.extend(source(&any.value)),
            "errdefs.Vertex+json" => {
                if let Ok(vertex) = serde_json::from_slice::<VertexJson>(&any.value)
                    && !vertex.digest.is_empty()
                {
                    error.vertex.get_or_insert(vertex.digest);
                }
            }
            "gatewayapi.ExitMessage+json" => {
                if let Ok(exit) = serde_json::from_slice::<ExitJson>(&any.value) {
                    error.exit_code.get_or_insert(exit.code);
                }
            }
            _ => {}
        }
    }
    error.sources.dedup();
    if error.exit_code.is_none() {
        error.exit_code = exit_code_in(&error.message);
    }
    error
}

/// A status as the gateway takes it back: with its details, which `Control.Solve` then repeats.
pub fn rpc_status(status: &Status) -> RpcStatus {
    match RpcStatus::decode(status.details()) {
        Ok(whole) if !status.details().is_empty() => whole,
        _ => RpcStatus {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: Vec::new(),
        },
    }
}

/// The text of a status in plain words: wrapping of gRPC removed, lost connections named as such.
pub fn text(status: &Status) -> String {
    let mut message = status.message();
    while let Some(rest) = message
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
    {
        message = rest.1;
    }
    let transport = std::error::Error::source(status);
    match transport {
        Some(source) => {
            let cause = chain(source);
            if is_broken_stream(&cause) {
                let why = cause.strip_prefix("transport error: ").unwrap_or(&cause);
                format!("lost the connection to the builder ({why})")
            } else if message.is_empty() || message == "transport error" {
                cause
            } else {
                message.to_owned()
            }
        }
        None if message.is_empty() => format!("{:?}", status.code()),
        None => message.to_owned(),
    }
}

fn is_broken_stream(cause: &str) -> bool {
    [
        "connection to the builder was lost",
        "bytes remaining on stream",
        "broken pipe",
        "connection reset",
        "connection closed",
        "unexpected end of file",
        "error reading a body from connection",
    ]
    .iter()
    .any(|sign| cause.contains(sign))
}

/// The exit code that the text of an error tells: old engines, and the errors of steps, have it nowhere else.
pub fn exit_code_in(message: &str) -> Option<u32> {
    let digits = message.rsplit_once("exit code: ")?.1;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[derive(Deserialize)]
struct VertexJson {
    #[serde(default)]
    digest: String,
}

#[derive(Deserialize)]
struct ExitJson {
    #[serde(rename = "Code")]
    code: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SolveJson {
    #[serde(rename = "inputIDs")]
    input_ids: Vec<String>,
    #[serde(rename = "mountIDs")]
    mount_ids: Vec<String>,
    op: Option<serde_json::Value>,
}

/// A detail with an exec and mounts wins over one without; the first of equals stays.
fn keep_best_exec(best: &mut Option<FailedExec>, json: &[u8]) {
    let Ok(solve) = serde_json::from_slice::<SolveJson>(json) else {
        return;
    };
    let Some(op) = solve.op else { return };
    let rank = |exec: &FailedExec| (exec.op.get("exec").is_some(), !exec.mount_ids.is_empty());
    let found = FailedExec {
        op,
        input_ids: solve.input_ids,
        mount_ids: solve.mount_ids,
    };
    if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
        *best = Some(found);
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceJson {
    info: InfoJson,
    ranges: Vec<RangeJson>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InfoJson {
    filename: String,
    data: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RangeJson {
    start: BTreeMap<String, serde_json::Value>,
    end: BTreeMap<String, serde_json::Value>,
}

fn source(json: &[u8]) -> Option<Source> {
    let source: SourceJson = serde_json::from_slice(json).ok()?;
    let line = |position: &BTreeMap<String, serde_json::Value>| {
        position
            .get("line")
            .and_then(number)
            .and_then(|line| u32::try_from(line).ok())
    };
    let ranges = source.ranges.iter().filter_map(|range| {
        let start = line(&range.start)?;
        let end = line(&range.end).unwrap_or(start).max(start);
        Some(LineRange { start, end })
    });
    Some(Source {
        ranges: ranges.collect(),
        filename: source.info.filename,
        data: STANDARD.decode(source.info.data).ok()?,
    })
}

/// protojson writes 64-bit numbers as strings, Go's own JSON as numbers.
fn number(value: &serde_json::Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::google::protobuf::Any;

    fn any(kind: &str, json: &str) -> Any {
        Any {
            type_url: format!("github.com/moby/buildkit/{kind}"),
            value: json.as_bytes().to_vec(),
        }
    }

    fn status(message: &str, details: Vec<Any>) -> Status {
        let encoded = RpcStatus {
            code: 2,
            message: message.to_owned(),
            details,
        };
        Status::with_details(Code::Unknown, message, encoded.encode_to_vec().into())
    }

    #[test]
    fn details_are_json_and_the_richest_solve_detail_wins() {
        let error = decode(&status(
            "rpc error: code = Unknown desc = rpc error: code = Unknown desc = process \"x\" did not complete successfully: exit code: 3",
            vec![
                any("errdefs.Solve+json", "{}"),
                any("errdefs.Solve+json", r#"{"op":{"file":{}}}"#),
                any(
                    "errdefs.Solve+json",
                    r#"{"inputIDs":["a"],"mountIDs":["b"],"op":{"exec":{"meta":{}}}}"#,
                ),
                any("errdefs.Vertex+json", r#"{"digest":"sha256:1"}"#),
                any(
                    "errdefs.Source+json",
                    r#"{"info":{"filename":"Dockerfile","data":"RlJPTSB4"},"ranges":[{"start":{"line":2},"end":{"line":"3"}},{"start":{},"end":{}}]}"#,
                ),
                any("gatewayapi.ExitMessage+json", r#"{"Code":3}"#),
                any("stack.Stack+json", r#"{"cmdline":["dockerd"]}"#),
                any("errdefs.Source+json", "not json"),
            ],
        ));
        assert_eq!(
            error.message,
            "process \"x\" did not complete successfully: exit code: 3"
        );
        assert_eq!(error.vertex.as_deref(), Some("sha256:1"));
        assert_eq!(error.exit_code, Some(3));
        let exec = error.exec.unwrap();
        assert_eq!(
            (exec.input_ids, exec.mount_ids),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
        assert_eq!(
            error.sources,
            [Source {
                filename: "Dockerfile".into(),
                data: b"FROM x".to_vec(),
                ranges: vec![LineRange { start: 2, end: 3 }],
            }]
        );
    }

    #[test]
    fn a_status_without_details_still_has_its_text_and_exit_code() {
        let error = decode(&Status::unknown(
            "process \"/bin/sh\" did not complete successfully: exit code: 137: context canceled",
        ));
        assert_eq!(error.exit_code, Some(137));
        assert!(error.sources.is_empty() && error.exec.is_none());
        assert_eq!(text(&Status::new(Code::Unavailable, "")), "Unavailable");
    }
}
