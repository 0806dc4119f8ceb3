//! The printer for programs: BuildKit's own JSON of status messages, one object per line, and the
//! result or the error of the build as the last object.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::time::nanos;
use crate::engine::errors::{BuildError, LineRange};
use crate::proto::{control, pb};

type Stamp = bollard_buildkit_proto::google::protobuf::Timestamp;

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vertexes: Vec<Vertex<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Status<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Log<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Vertex<'a> {
    digest: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    inputs: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cached: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress_group: Option<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    weak: bool,
}

#[derive(Serialize)]
struct Status<'a> {
    id: &'a str,
    vertex: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    total: i64,
    current: i64,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
}

#[derive(Serialize)]
struct Log<'a> {
    vertex: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    stream: i64,
    data: String,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Warning<'a> {
    vertex: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    level: i64,
    short: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<SourceInfo<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    range: Vec<Range>,
}

#[derive(Serialize)]
struct SourceInfo<'a> {
    filename: &'a str,
    data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    language: &'a str,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: i32,
    #[serde(skip_serializing_if = "is_zero_i32")]
    character: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    code: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vertex: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u32>,
    canceled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<FailureSource<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    hints: &'a [String],
}

#[derive(Serialize)]
struct FailureSource<'a> {
    filename: &'a str,
    ranges: Vec<BTreeMap<&'static str, u32>>,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

fn is_zero_i32(n: &i32) -> bool {
    *n == 0
}

/// RFC 3339 with as many decimals as needed.
fn time(stamp: &Stamp) -> String {
    let nanos = u64::try_from(nanos(stamp)).unwrap_or(0);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(nanos);
    let text = humantime::format_rfc3339_nanos(at).to_string();
    let short = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", short.trim_end_matches('.'))
}

fn option(stamp: &Option<Stamp>) -> Option<String> {
    stamp.as_ref().map(time)
}

/// A status message as one line; None if there is nothing in it.
pub fn message(message: &control::StatusResponse) -> Option<String> {
    let position = |p: &Option<pb::Position>| Position {
        line: p.as_ref().map_or(0, |p| p.line),
        character: p.as_ref().map_or(0, |p| p.character),
    };
    let message = Message {
        vertexes: message
            .vertexes
            .iter()
            .map(|v| Vertex {
                digest: &v.digest,
                inputs: &v.inputs,
                name: &v.name,
                started: option(&v.started),
                completed: option(&v.completed),
                cached: v.cached,
                error: &v.error,
                progress_group: v.progress_group.as_ref().map(|g| Group {
                    id: &g.id,
                    name: &g.name,
                    weak: g.weak,
                }),
            })
            .collect(),
        statuses: message
            .statuses
            .iter()
            .map(|s| Status {
                id: &s.id,
                vertex: &s.vertex,
                name: &s.name,
                total: s.total,
                current: s.current,
                timestamp: time(&s.timestamp.unwrap_or_default()),
                started: option(&s.started),
                completed: option(&s.completed),
            })
            .collect(),
        logs: message
            .logs
            .iter()
            .map(|l| Log {
                vertex: &l.vertex,
                stream: l.stream,
                data: STANDARD.encode(&l.msg),
                timestamp: time(&l.timestamp.unwrap_or_default()),
            })
            .collect(),
        warnings: message
            .warnings
            .iter()
            .map(|w| Warning {
                vertex: &w.vertex,
                level: w.level,
                short: STANDARD.encode(&w.short),
                detail: w.detail.iter().map(|d| STANDARD.encode(d)).collect(),
                url: &w.url,
                source_info: w.info.as_ref().map(|i| SourceInfo {
                    filename: &i.filename,
                    data: STANDARD.encode(&i.data),
                    language: &i.language,
                }),
                range: w
                    .ranges
                    .iter()
                    .map(|r| Range {
                        start: position(&r.start),
                        end: position(&r.end),
                    })
                    .collect(),
            })
            .collect(),
    };
    let empty = message.vertexes.is_empty()
        && message.statuses.is_empty()
        && message.logs.is_empty()
        && message.warnings.is_empty();
    (!empty).then(|| line(&message))
}

/// The failure as one line: `{"error":{…}}`.
pub fn error(error: &BuildError, hints: &[String]) -> String {
    let range = |r: &LineRange| BTreeMap::from([("start", r.start), ("end", r.end)]);
    line(&BTreeMap::from([(
        "error",
        Failure {
            code: format!("{:?}", error.code),
            message: &error.message,
            vertex: error.vertex.as_deref(),
            exit_code: error.exit_code,
            canceled: error.canceled,
            sources: error
                .sources
                .iter()
                .map(|s| FailureSource {
                    filename: &s.filename,
                    ranges: s.ranges.iter().map(range).collect(),
                })
                .collect(),
            hints,
        },
    )]))
}

/// The result as one line: `{"result":{…}}`, the engine's answer and the id of the build.
pub fn result(result: &BTreeMap<String, String>, build_ref: &str) -> String {
    let mut all: BTreeMap<&str, &str> = result
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    all.entry("buildx.build.ref").or_insert(build_ref);
    line(&BTreeMap::from([("result", all)]))
}

/// JSON on one line. Characters that a terminal could obey are escaped; they stand in strings only, so the JSON
/// stays the same.
fn line(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|e| {
        format!("{{\"error\":{{\"message\":\"progress could not be written: {e}\"}}}}")
    });
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            ' '..='~' => out.push(c),
            c if crate::term::escape::is_hidden(c) || c == '\x7f' => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::progress::trace::tests::message as make;

    #[test]
    fn the_field_names_of_buildkit() {
        let m = make()
            .vertex("a", Some(0), Some(1500))
            .cached()
            .group("g", true)
            .status("a", "sha", (1, 0), (0, 10, None))
            .log("a", 1234, b"\x1b[31mhi")
            .warning("a", "w");
        let json: Value = serde_json::from_str(&message(&m.0).unwrap()).unwrap();
        assert_eq!(
            json,
            json!({
                "vertexes": [{"digest": "sha256:a", "name": "a", "started": "2023-11-14T22:13:20Z",
                    "completed": "2023-11-14T22:13:21.5Z", "cached": true,
                    "progressGroup": {"id": "g", "name": "group g", "weak": true}}],
                "statuses": [{"id": "sha", "vertex": "sha256:a", "current": 1,
                    "timestamp": "2023-11-14T22:13:20.01Z", "started": "2023-11-14T22:13:20Z"}],
                "logs": [{"vertex": "sha256:a", "stream": 1, "data": "G1szMW1oaQ==", "timestamp": "2023-11-14T22:13:21.234Z"}],
                "warnings": [{"vertex": "sha256:a", "short": "dw=="}],
            })
        );
        assert_eq!(message(&control::StatusResponse::default()), None);
    }

    #[test]
    fn nothing_in_the_stream_is_obeyed_by_a_terminal() {
        let hostile = "a\x1b]0;x\x07\u{9b}31m\u{202e}\u{e0041}\x7f";
        let m = make().vertex(hostile, Some(0), None);
        let line = message(&m.0).unwrap();
        assert!(
            line.trim_end().bytes().all(|b| (0x20..0x7f).contains(&b)),
            "{line:?}"
        );
        let json: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["vertexes"][0]["name"], hostile);
    }

    #[test]
    fn the_end_is_an_object() {
        let failed = BuildError {
            exit_code: Some(3),
            ..BuildError::local("no\nway")
        };
        let json: Value = serde_json::from_str(&error(&failed, &["try".into()])).unwrap();
        assert_eq!(json["error"]["message"], "no\nway");
        assert_eq!(json["error"]["exitCode"], 3);
        assert_eq!(json["error"]["hints"], json!(["try"]));
        let done = BTreeMap::from([("containerimage.digest".to_string(), "sha256:1".to_string())]);
        let json: Value = serde_json::from_str(&result(&done, "b/n/r")).unwrap();
        assert_eq!(
            json,
            json!({"result": {"containerimage.digest": "sha256:1", "buildx.build.ref": "b/n/r"}})
        );
    }
}
