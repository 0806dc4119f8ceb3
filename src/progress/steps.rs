//! Steps of our own, such as a push: what happens to them as the engine would say it.

use std::collections::HashMap;

use super::time::{self, Nanos};
use crate::engine::vertex;
use crate::proto::control;

/// What happens to a step of our own, as pulling the builder's image.
#[derive(Debug, Clone, Copy)]
pub enum ClientEvent<'a> {
    /// It begins.
    Started,
    /// A part of it goes on.
    Status {
        /// What it is.
        id: &'a str,
        /// How much is done.
        current: i64,
        /// How much there is to do; 0 if unknown.
        total: i64,
        /// Whether the part is complete.
        done: bool,
    },
    /// Output.
    Log(&'a [u8]),
    /// It went well.
    Completed,
    /// It failed.
    Failed(&'a str),
}

/// The steps of our own in one build.
#[derive(Debug, Default)]
pub struct ClientSteps(HashMap<String, ClientStep>);

#[derive(Debug)]
struct ClientStep {
    vertex: control::Vertex,
    /// When its parts began.
    statuses: HashMap<String, Nanos>,
}

impl ClientSteps {
    /// What happened to the step `name`, on this machine's clock.
    pub fn event(&mut self, name: &str, event: ClientEvent<'_>) -> control::StatusResponse {
        let now = time::now();
        let step = self
            .0
            .entry(name.to_string())
            .or_insert_with(|| ClientStep {
                vertex: control::Vertex {
                    digest: vertex::digest(name.as_bytes()),
                    name: name.to_string(),
                    ..control::Vertex::default()
                },
                statuses: HashMap::new(),
            });
        let mut message = control::StatusResponse::default();
        let vertex = step.vertex.digest.clone();
        if step.vertex.started.is_none() || matches!(event, ClientEvent::Started) {
            step.vertex.started = Some(time::stamp(now));
            step.vertex.completed = None;
            message.vertexes.push(step.vertex.clone());
        }
        match event {
            ClientEvent::Started => {}
            ClientEvent::Status {
                id,
                current,
                total,
                done,
            } => {
                let started = *step.statuses.entry(id.to_string()).or_insert(now);
                message.statuses.push(control::VertexStatus {
                    id: id.to_string(),
                    vertex,
                    name: String::new(),
                    current,
                    total,
                    timestamp: Some(time::stamp(now)),
                    started: Some(time::stamp(started)),
                    completed: done.then(|| time::stamp(now)),
                });
            }
            ClientEvent::Log(bytes) => message.logs.push(control::VertexLog {
                vertex,
                timestamp: Some(time::stamp(now)),
                stream: 1,
                msg: bytes.to_vec(),
            }),
            ClientEvent::Completed | ClientEvent::Failed(_) => {
                step.vertex.completed = Some(time::stamp(now));
                if let ClientEvent::Failed(error) = event {
                    step.vertex.error = error.to_string();
                }
                message.vertexes.push(step.vertex.clone());
            }
        }
        message
    }
}
