//! From the end of a failing step to what the screen says of it, and to a prompt in it.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use buildx::progress::time::nanos;
use buildx::proto::control::StatusResponse;
use buildx::proto::controller::TraceRequest;
use buildx::proto::controller::trace_event::Event;
use prost::Message;

use crate::contexts::LAST_WORDS;
use crate::side::Side;
use crate::values::put;
use crate::{Bench, PROMPT};

/// The engine's clock is ours: it says when the step ended and when its last words came, in the trace.
pub fn failure(bench: &Bench) -> Result<()> {
    // The steps that all have in common.
    bench.shell(&bench.contexts.speaking()?)?;
    bench.ours.stop()?;
    for _ in 0..bench.runs {
        let context = bench.contexts.speaking()?;
        let context = context.to_str().context("a path that is no text")?;
        let mut window = bench.screen(&["debug", "build", "--network=host", context])?;
        let card = window.wait("card", |screen| screen.contains("failed: exit code 3"))?;
        let card = since_1970(card)?;
        let prompt = window.wait("prompt", |screen| screen.contains(PROMPT))?;
        let prompt = since_1970(prompt)?;
        let step = step(bench)?;
        let put = |what, from: Duration, to: Duration| {
            let took = to.as_secs_f64() - from.as_secs_f64();
            put(what, "ours", took);
        };
        put("failure.card", step.ended, card);
        put("failure.prompt", step.ended, prompt);
        put("failure.engine", step.spoke, step.ended);
        drop(window);
        bench.ours.stop()?;
    }
    Ok(())
}

fn since_1970(then: Instant) -> Result<Duration> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(now - then.elapsed())
}

/// When something happened, since 1970.
struct Step {
    ended: Duration,
    spoke: Duration,
}

/// The failed step of the only session.
fn step(bench: &Bench) -> Result<Step> {
    let client = bench.ours.client()?;
    let (mut ended, mut spoke) = (None, None);
    bench.ours.runtime.block_on(async {
        let sessions = bench.ours.sessions(&client).await?;
        let session = sessions.into_iter().next().context("no session")?;
        let request = TraceRequest {
            session: session.id,
            ..TraceRequest::default()
        };
        let mut trace = client.api.clone().trace(request).await?.into_inner();
        while let Some(record) = trace.message().await? {
            let event = record.event.and_then(|event| event.event);
            let Some(Event::Status(bytes)) = event else {
                if matches!(event, Some(Event::Outcome(_))) {
                    break;
                }
                continue;
            };
            let status = StatusResponse::decode(bytes)?;
            for vertex in status.vertexes {
                if !vertex.error.is_empty() {
                    ended = vertex.completed.or(ended);
                }
            }
            for log in status.logs {
                if log.msg.starts_with(LAST_WORDS.as_bytes()) {
                    spoke = log.timestamp;
                }
            }
        }
        anyhow::Ok(())
    })?;
    let time = |stamp| -> Result<Duration> {
        let nanos = nanos(&Option::context(stamp, "the trace does not say when")?);
        Ok(Duration::from_nanos(u64::try_from(nanos)?))
    };
    Ok(Step {
        ended: time(ended)?,
        spoke: time(spoke)?,
    })
}
