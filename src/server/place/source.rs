//! The step that a failed source belongs to.

use prost::Message;
use serde_json::json;

use crate::engine::errors::FailedExec;
use crate::engine::vertex::digest;
use crate::proto::pb;

/// The COPY or ADD that needed the source `vertex`, such as a URL that cannot be fetched, as if it had failed itself;
/// with its own vertex. `None` when there is none that starts from another state than the source.
pub fn user_of(definition: &pb::Definition, vertex: &str) -> Option<(FailedExec, String)> {
    if vertex.is_empty() {
        return None;
    }
    let uses = |bytes: &Vec<u8>| {
        let op = pb::Op::decode(bytes.as_slice()).ok()?;
        let Some(pb::op::Op::File(file)) = &op.op else {
            return None;
        };
        let base = file.actions.first()?.input;
        let parent = op.inputs.get(usize::try_from(base).ok()?)?;
        let needs = op.inputs.iter().any(|input| input.digest == vertex);
        (needs && parent.digest != vertex).then(|| (as_failed(&op, base), digest(bytes)))
    };
    definition.def.iter().find_map(uses)
}

/// In the form in which engines tell of operations that failed, without ids: it has not run.
fn as_failed(op: &pb::Op, base: i64) -> FailedExec {
    let input =
        |input: &pb::Input| json!({"digest": input.digest, "index": input.index.to_string()});
    let inputs: Vec<_> = op.inputs.iter().map(input).collect();
    let platform = op.platform.as_ref().map(|platform| {
        json!({
            "Architecture": platform.architecture,
            "OS": platform.os,
            "Variant": platform.variant,
        })
    });
    FailedExec {
        op: json!({
            "inputs": inputs,
            "file": {"actions": [{"input": base.to_string()}]},
            "platform": platform,
        }),
        input_ids: Vec::new(),
        mount_ids: Vec::new(),
    }
}
