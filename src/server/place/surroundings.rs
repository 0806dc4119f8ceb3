//! What surrounds an operation in its definition: the state that it starts from, and the last RUN
//! before it, whose user, directory and variables are the best guess for a step that has none.

use std::collections::{HashMap, HashSet, VecDeque};

use prost::Message;

use crate::engine::vertex::digest;
use crate::proto::pb;

/// The operations of a definition by digest, with what refers to them.
#[derive(Debug)]
pub struct Surroundings<'a> {
    definition: &'a pb::Definition,
    ops: HashMap<String, pb::Op>,
}

impl<'a> Surroundings<'a> {
    /// Decodes a definition; operations that this side cannot decode are left out.
    pub fn new(definition: &'a pb::Definition) -> Self {
        let ops = definition.def.iter().filter_map(|bytes| {
            let op = pb::Op::decode(bytes.as_slice()).ok()?;
            Some((digest(bytes), op))
        });
        Self {
            definition,
            ops: ops.collect(),
        }
    }

    /// The state that `digest` starts from: its own, or for a layer of its own (COPY --link) that
    /// which the layer is put on.
    pub fn parent(&self, digest: &str) -> Option<pb::Input> {
        let mut seen = HashSet::new();
        let mut waiting = VecDeque::from([digest.to_owned()]);
        while let Some(digest) = waiting.pop_front() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let own = self.ops.get(&digest).and_then(main_input);
            let users = self.ops.iter().filter(|(_, op)| {
                let mut inputs = op.inputs.iter();
                inputs.any(|input| input.digest == digest)
            });
            let mut bases = users.clone().filter_map(|(_, op)| main_input(op));
            if let Some(input) = own.or_else(|| bases.find(|input| input.digest != digest)) {
                return Some(input.clone());
            }
            waiting.extend(users.map(|(user, _)| user.clone()));
        }
        None
    }

    /// The nearest RUN at or before `input`, with its digest.
    pub fn last_exec<'b>(&'b self, input: &'b pb::Input) -> Option<(&'b str, &'b pb::ExecOp)> {
        self.back_from(input).find_map(|(digest, op)| match &op.op {
            Some(pb::op::Op::Exec(exec)) => Some((digest, exec)),
            _ => None,
        })
    }

    /// The last WORKDIR at or before `input`, with its directory, if no RUN is nearer.
    pub fn last_directory<'b>(&'b self, input: &'b pb::Input) -> Option<(&'b str, &'b str)> {
        self.back_from(input)
            .take_while(|(_, op)| !matches!(op.op, Some(pb::op::Op::Exec(_))))
            .find_map(|(digest, op)| match &op.op {
                Some(pb::op::Op::File(file)) if self.is_workdir(digest) => {
                    Some((digest, made(file)?))
                }
                _ => None,
            })
    }

    fn is_workdir(&self, digest: &str) -> bool {
        let metadata = self.definition.metadata.get(digest);
        metadata
            .and_then(|metadata| metadata.description.get("llb.customname"))
            .is_some_and(|name| name.contains("WORKDIR "))
    }

    /// What leads to `input`, the last operation first.
    fn back_from<'b>(
        &'b self,
        input: &'b pb::Input,
    ) -> impl Iterator<Item = (&'b str, &'b pb::Op)> {
        let mut seen = HashSet::new();
        let mut next = Some(input);
        std::iter::from_fn(move || {
            let digest = next.take()?.digest.as_str();
            let op = self.ops.get(digest).filter(|_| seen.insert(digest))?;
            next = main_input(op);
            Some((digest, op))
        })
    }

    /// A definition whose result is `input`. The operations keep their bytes, because their digests
    /// are those of the bytes.
    pub fn up_to(&self, input: &pb::Input) -> pb::Definition {
        let end = pb::Op {
            inputs: vec![input.clone()],
            ..Default::default()
        };
        let (_, ops) = self
            .definition
            .def
            .split_last()
            .unwrap_or((&Vec::new(), &[]));
        let mut def = ops.to_vec();
        def.push(end.encode_to_vec());
        pb::Definition {
            def,
            metadata: self.definition.metadata.clone(),
            source: self.definition.source.clone(),
        }
    }
}

/// The directory that an operation makes.
fn made(file: &pb::FileOp) -> Option<&str> {
    match file.actions.last()?.action.as_ref()? {
        pb::file_action::Action::Mkdir(made) => Some(&made.path),
        _ => None,
    }
}

/// The input that an operation changes: of a RUN its root, of a COPY what it copies onto, of a
/// merge its base.
fn main_input(op: &pb::Op) -> Option<&pb::Input> {
    let index = match op.op.as_ref()? {
        pb::op::Op::Exec(exec) => exec.mounts.iter().find(|mount| mount.dest == "/")?.input,
        pb::op::Op::File(file) => file.actions.first()?.input,
        pb::op::Op::Merge(merge) => merge.inputs.first()?.input,
        _ => return None,
    };
    op.inputs.get(usize::try_from(index).ok()?)
}
