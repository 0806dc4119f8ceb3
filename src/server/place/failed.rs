//! The place in a step that failed.

use super::op::{self, Exec, FailedOp};
use super::surroundings::Surroundings;
use super::written::Written;
use super::{Ground, Place, Root, SHELL, absolute, set, shell_of};
use crate::engine::errors::FailedExec;
use crate::proto::controller::State;
use crate::proto::pb;
use crate::server::holds::{self, StepKey};

/// The place after or before a failed step, or one sentence why there is none.
pub fn place(
    failed: &FailedExec,
    definition: Option<&pb::Definition>,
    vertex: &str,
    state: State,
) -> Result<Place, String> {
    let surroundings = definition.map(Surroundings::new);
    let surroundings = surroundings.as_ref();
    let read = op::read(&failed.op);
    let mut place = match &read {
        Some(FailedOp::Exec(exec)) => in_exec(failed, exec, surroundings, state)?,
        Some(FailedOp::File(input)) => {
            before_file(failed, *input, definition, surroundings, vertex, state)?
        }
        None => {
            return Err("the step that failed has no file system to start a process in".to_owned());
        }
    };
    let name = given_name(definition, vertex).or_else(|| twins_name(definition?, failed));
    place.step = match (name, read) {
        (Some(name), _) => name.to_owned(),
        // As the engine calls a step without a name.
        (None, Some(FailedOp::Exec(exec))) => exec.meta.args.join(" "),
        (None, _) => String::new(),
    };
    Ok(place)
}

/// The name that the frontend has given to an operation.
fn given_name<'a>(definition: Option<&'a pb::Definition>, vertex: &str) -> Option<&'a str> {
    let metadata = definition?.metadata.get(vertex)?;
    let name = metadata.description.get("llb.customname")?;
    Some(name)
}

/// The name of the step that does the same: when several builds share a step, the failure may name that of another one.
fn twins_name<'a>(definition: &'a pb::Definition, failed: &FailedExec) -> Option<&'a str> {
    let key = StepKey::of_failed(failed)?;
    let mut steps = holds::steps(definition).into_iter();
    let twin = steps.find(|step| step.key == key)?;
    given_name(Some(definition), &twin.vertex)
}

fn in_exec(
    failed: &FailedExec,
    exec: &Exec,
    surroundings: Option<&Surroundings<'_>>,
    state: State,
) -> Result<Place, String> {
    let count = exec.mounts.len();
    let (ids, state, mut notes) = match state {
        State::Before if failed.input_ids.len() >= count => {
            (Some(&failed.input_ids), state, Vec::new())
        }
        State::Before => (None, state, Vec::new()),
        _ if failed.mount_ids.len() >= count => (Some(&failed.mount_ids), State::After, Vec::new()),
        _ => {
            let note = "the step failed before it ran: this is the state before it";
            (None, State::Before, vec![note.to_owned()])
        }
    };
    let root = exec.mounts.iter().position(|mount| mount.dest == "/");
    let root = root.ok_or("the step that failed has no root file system")?;
    let root = match ids
        .and_then(|ids| ids.get(root))
        .filter(|id| !id.is_empty())
    {
        Some(id) => Root::Ref(id.clone()),
        None => {
            let number = exec.mounts.get(root).map_or(0, |mount| mount.input);
            let input = usize::try_from(number)
                .ok()
                .and_then(|number| op::input(&failed.op, number));
            parent_root(surroundings, input.as_ref())?
        }
    };
    let mut mounts = Vec::new();
    for (index, mount) in exec.mounts.iter().enumerate() {
        if mount.dest == "/" {
            continue;
        }
        let id = ids.and_then(|ids| ids.get(index));
        match carried(mount, id, ids.is_some()) {
            Ok(mount) => mounts.push(mount),
            Err(Some(note)) => notes.push(note),
            Err(None) => {}
        }
        if let Some(cache) = mount.cache_opt.as_ref() {
            notes.push(cache_note(mount, cache));
        }
    }
    notes.extend(
        exec.lost
            .iter()
            .map(|lost| format!("not carried over: {lost}")),
    );
    Ok(Place {
        ground: Ground {
            root,
            mounts,
            network: exec.network,
            extra_hosts: exec.meta.extra_hosts.clone(),
            hostname: exec.meta.hostname.clone(),
            platform: op::platform(&failed.op),
            security: exec.security,
            secret_env: exec.secret_env.clone(),
        },
        notes,
        ..like(&exec.meta, state)
    })
}

/// A mount as a container takes it, or why it is left out.
fn carried(mount: &pb::Mount, id: Option<&String>, ran: bool) -> Result<pb::Mount, Option<String>> {
    let mut carried = mount.clone();
    // Engines repeat other ids for mounts that have no content of their own.
    carried.result_id = match mount.mount_type() {
        pb::MountType::Bind | pb::MountType::Cache => id.cloned().unwrap_or_default(),
        _ => String::new(),
    };
    carried.tmpfs_opt = None;
    match mount.mount_type() {
        // Every container has one; its size is what the step changed.
        pb::MountType::Tmpfs if mount.dest == "/dev/shm" => Err(None),
        pb::MountType::Bind if !ran && mount.input >= 0 => {
            Err(Some(format!("not carried over: the mount {}", mount.dest)))
        }
        pb::MountType::Cache if !ran && mount.input >= 0 => {
            Err(Some(format!("not carried over: the cache {}", mount.dest)))
        }
        _ => Ok(carried),
    }
}

fn cache_note(mount: &pb::Mount, cache: &pb::CacheOpt) -> String {
    let dest = &mount.dest;
    match cache.sharing() {
        pb::CacheSharingOpt::Shared => {
            format!("{dest} is the real cache: what is written there stays")
        }
        pb::CacheSharingOpt::Private => format!(
            "{dest} is a real cache: what is written there stays, and builds take another one meanwhile"
        ),
        pb::CacheSharingOpt::Locked => format!(
            "{dest} is the real cache: what is written there stays, and builds wait for it meanwhile"
        ),
    }
}

fn before_file(
    failed: &FailedExec,
    input: Option<usize>,
    definition: Option<&pb::Definition>,
    surroundings: Option<&Surroundings<'_>>,
    vertex: &str,
    state: State,
) -> Result<Place, String> {
    let parent = match input {
        Some(index) => op::input(&failed.op, index),
        None => surroundings.and_then(|around| around.parent(vertex)),
    };
    let parent = parent.as_ref();
    // A copy whose source is missing has one id, that of the source: then the definition decides.
    let all = failed.input_ids.len() == op::inputs(&failed.op);
    let id = input
        .filter(|_| all)
        .and_then(|index| failed.input_ids.get(index));
    let root = match id.filter(|id| !id.is_empty()) {
        Some(id) => Root::Ref(id.clone()),
        None => parent_root(surroundings, parent)?,
    };
    let around = surroundings.zip(parent);
    let before = around.and_then(|(around, parent)| around.last_exec(parent));
    let mut place = match before.and_then(|(_, exec)| exec.meta.as_ref()) {
        Some(meta) => like(meta, State::Before),
        None => like(&pb::Meta::default(), State::Before),
    };
    place.ground.root = root;
    place.ground.platform = op::platform(&failed.op);
    if let Some((_, exec)) = before {
        place.ground.network = exec.network();
    }
    if state == State::After {
        let note = "the step runs no process: this is the state before it";
        place.notes.push(note.to_owned());
    }
    let directory = around.and_then(|(around, parent)| around.last_directory(parent));
    if let Some((_, directory)) = directory {
        place.directory = absolute(directory);
    }
    let run = before.map(|(digest, _)| digest);
    let made = directory.map(|(digest, _)| digest);
    let written = definition.and_then(|definition| Written::before(vertex, run, made, definition));
    place.notes.push(
        match (before, &written) {
            (Some(_), Some(_)) => {
                "user, directory and variables are those of the last RUN before it, with what its stage has set since"
            }
            (Some(_), None) => "user, directory and variables are those of the last RUN before it",
            (None, Some(_)) => {
                "no RUN comes before it: user, directory and variables are what its stage sets, otherwise the engine's defaults"
            }
            (None, None) => {
                "no RUN comes before it: user, directory and variables are the engine's defaults"
            }
        }
        .to_owned(),
    );
    if let Some(written) = written {
        let settings = written.settings(std::mem::take(&mut place.environment));
        place.environment = settings.environment;
        place.user = settings.user.unwrap_or(place.user);
        if settings.at_root {
            place.directory = absolute("");
        }
        place.notes.extend(settings.notes);
    }
    Ok(place)
}

/// The root of a step that has no ids: what it would have started from.
fn parent_root(
    surroundings: Option<&Surroundings<'_>>,
    parent: Option<&pb::Input>,
) -> Result<Root, String> {
    let parent = parent.ok_or(
        "the step that failed starts from an empty file system: there is nothing to start a process in",
    )?;
    let around = surroundings
        .ok_or("the step failed before it ran, and the engine does not say what comes before it")?;
    Ok(Root::Parent(Box::new(around.up_to(parent))))
}

/// A place with user, directory, variables and shell of a RUN, and nothing mounted.
fn like(meta: &pb::Meta, state: State) -> Place {
    let mut environment = Vec::new();
    for variable in meta.env.iter().cloned().chain(proxies(meta)) {
        set(&mut environment, &variable);
    }
    Place {
        ground: Ground {
            root: Root::Ref(String::new()),
            mounts: Vec::new(),
            network: pb::NetMode::Unset,
            extra_hosts: Vec::new(),
            hostname: String::new(),
            platform: None,
            security: pb::SecurityMode::Sandbox,
            secret_env: Vec::new(),
        },
        state,
        step: String::new(),
        platform: String::new(),
        shell: if meta.args.is_empty() {
            vec![SHELL.to_owned()]
        } else {
            shell_of(&meta.args)
        },
        arguments: Vec::new(),
        environment,
        user: meta.user.clone(),
        user_is_asked: false,
        directory: absolute(&meta.cwd),
        directory_is_asked: false,
        notes: Vec::new(),
    }
}

/// The proxies of a step are no part of its variables; the engine adds them under both names.
fn proxies(meta: &pb::Meta) -> Vec<String> {
    let Some(proxies) = &meta.proxy_env else {
        return Vec::new();
    };
    let pairs = [
        ("HTTP_PROXY", &proxies.http_proxy),
        ("HTTPS_PROXY", &proxies.https_proxy),
        ("FTP_PROXY", &proxies.ftp_proxy),
        ("NO_PROXY", &proxies.no_proxy),
        ("ALL_PROXY", &proxies.all_proxy),
    ];
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(name, value)| {
            [name.to_owned(), name.to_ascii_lowercase()].map(|name| format!("{name}={value}"))
        })
        .collect()
}
