//! Steps of our own, such as a push: what happens to them as the engine would say it.

use std::collections::HashMap;

use super::time;
use crate::engine::vertex;
use crate::proto::control;

/// What happens to a step of our own, as pulling the builder's image.
#[derive(Debug, Clone, Copy)]
pub enum ClientEvent<'a> {
    /// It begins.
    Started,
    /// Output.
    Log(&'a [u8]),
    /// It went well.
    Completed,
    /// It failed.
    Failed(&'a str),
}

/// The steps of our own in one build.
#[derive(Debug, Default)]
pub struct ClientSteps(HashMap<String, control::Vertex>);

impl ClientSteps {
    /// What happened to the step `name`, on this machine's clock.
    pub fn event(&mut self, name: &str, event: ClientEvent<'_>) -> control::StatusResponse {
        let now = time::now();
        let step = self
            .0
            .entry(name.to_string())
            .or_insert_with(|| control::Vertex {
                digest: vertex::digest(name.as_bytes()),
                name: name.to_string(),
                ..control::Vertex::default()
            });
        let mut message = control::StatusResponse::default();
        let vertex = step.digest.clone();
        if step.started.is_none() || matches!(event, ClientEvent::Started) {
            step.started = Some(time::stamp(now));
            step.completed = None;
            message.vertexes.push(step.clone());
        }
        match event {
            ClientEvent::Started => {}
            ClientEvent::Log(bytes) => message.logs.push(control::VertexLog {
                vertex,
                timestamp: Some(time::stamp(now)),
                stream: 1,
                msg: bytes.to_vec(),
            }),
            ClientEvent::Completed | ClientEvent::Failed(_) => {
                step.completed = Some(time::stamp(now));
                if let ClientEvent::Failed(error) = event {
                    step.error = error.to_string();
                }
                message.vertexes.push(step.clone());
            }
        }
        message
    }
}
