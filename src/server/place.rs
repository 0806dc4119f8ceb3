//! From what of a build is open to where a process starts: file system, mounts, user, directory,
//! variables, shell.
//!
//! [`find`] looks at data only; whoever makes the container solves a [`Root::Parent`] first. A place
//! says in its notes what it cannot give, one line each.

mod failed;
mod ground;
mod image;
mod op;
mod reason;
mod source;
mod surroundings;
mod written;

#[cfg(test)]
mod tests;

use tonic::Status;

use super::state::{Inside, OpenState};
use crate::engine::control::platform_name;
use crate::proto::controller::{ExecRequest, State};
use crate::proto::pb;

pub use reason::why_no_state;
pub use source::user_of;

/// The shell when neither a step nor an image names one.
const SHELL: &str = "/bin/sh";

/// Where a process starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What its container is made of. Equal for all processes of one state and platform.
    pub ground: Ground,
    /// Which state of the build this is.
    pub state: State,
    /// Name of the step whose state it is; empty for a result.
    pub step: String,
    /// Platform of the result, such as `linux/amd64`; empty for a step and where it is not known.
    pub platform: String,
    /// Program and leading words of the shell of the step or image.
    pub shell: Vec<String>,
    /// Program and arguments that were asked for; empty for the shell.
    pub arguments: Vec<String>,
    /// `NAME=VALUE`, each name once.
    pub environment: Vec<String>,
    /// User, with `:group` where one was given; empty for root.
    pub user: String,
    /// Whether the request named the user, so that another one is an error.
    pub user_is_asked: bool,
    /// Absolute directory.
    pub directory: String,
    /// Whether the request named the directory, so that it is not made if it is missing.
    pub directory_is_asked: bool,
    /// What cannot be carried into the process, one line each.
    pub notes: Vec<String>,
}

/// What a container is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// Its file system.
    pub root: Root,
    /// Mounts beside the root.
    pub mounts: Vec<pb::Mount>,
    /// Network mode.
    pub network: pb::NetMode,
    /// Lines for `/etc/hosts`.
    pub extra_hosts: Vec<pb::HostIp>,
    /// Host name; empty for the engine's choice.
    pub hostname: String,
    /// Platform whose defaults count.
    pub platform: Option<pb::Platform>,
    /// Security mode of the step.
    pub security: pb::SecurityMode,
    /// Variables that hold secrets, for every process.
    pub secret_env: Vec<pb::SecretEnv>,
}

/// The file system of a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// A ref, or a mount id of a failed step.
    Ref(String),
    /// The result of this definition, which the engine has made already.
    Parent(Box<pb::Definition>),
}

/// Where a process of `request` starts in `open`. What the request says wins over the step and image.
///
/// # Errors
/// `FailedPrecondition` when there is nothing to start a process in (the message says why),
/// `InvalidArgument` for a platform that is not there and for values that are none.
pub fn find(open: &OpenState, request: &ExecRequest) -> Result<Place, Status> {
    let state = match request.state() {
        State::Unspecified => State::After,
        state => state,
    };
    let mut place = match &open.inside {
        Inside::Failed {
            exec,
            definition,
            vertex,
        } => {
            let place = failed::place(exec, definition.as_deref(), vertex, state)
                .map_err(Status::failed_precondition)?;
            only_for(place.ground.platform.as_ref(), &request.platform)?;
            place
        }
        Inside::Result(results) => image::place(results, &request.platform)?,
    };
    if let Some(directory) = &request.directory {
        place.directory = join(&place.directory, directory);
        place.directory_is_asked = true;
    }
    if place.directory.contains(['\n', '\0']) {
        return Err(Status::invalid_argument(
            "a directory with a line break in its name cannot be entered",
        ));
    }
    if let Some(user) = &request.user {
        user.clone_into(&mut place.user);
        place.user_is_asked = true;
    }
    for variable in &request.environment {
        if variable.starts_with('=') || !variable.contains('=') {
            return Err(Status::invalid_argument(format!(
                "{variable:?} is no variable: write NAME=VALUE"
            )));
        }
        set(&mut place.environment, variable);
    }
    place.arguments = match (&open.inside, request.entrypoint.as_slice()) {
        (Inside::Result(_), entrypoint) => entrypoint
            .iter()
            .chain(&request.arguments)
            .cloned()
            .collect(),
        (Inside::Failed { .. }, _) => request.arguments.clone(),
    };
    Ok(place)
}

/// A failed step has one platform, and nothing of it is there for another.
fn only_for(platform: Option<&pb::Platform>, asked: &str) -> Result<(), Status> {
    let name = platform.map_or_else(String::new, platform_name);
    if asked.is_empty() || asked == name {
        return Ok(());
    }
    Err(Status::invalid_argument(match name.as_str() {
        "" => format!("the step is not for {asked}: it has one platform only, leave it out"),
        name => format!("the step is not for {asked}: it is for {name}"),
    }))
}

/// Sets a `NAME=VALUE` in a list where each name is once.
fn set(environment: &mut Vec<String>, variable: &str) {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let wanted = name(variable);
    environment.retain(|other| name(other) != wanted);
    environment.push(variable.to_owned());
}

/// A directory as seen from another one.
fn join(base: &str, directory: &str) -> String {
    match directory {
        "" => base.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("{}/{relative}", base.trim_end_matches('/')),
    }
}

/// A directory of a step or image, which may be empty or lack its slash.
fn absolute(directory: &str) -> String {
    join("/", directory)
}

/// The shell of a step from its arguments: the words before options and `-c COMMAND`. A step that
/// runs a program directly has none, so it is the usual one.
fn shell_of(arguments: &[String]) -> Vec<String> {
    let usual = || vec![SHELL.to_owned()];
    let [before @ .., option, _command] = arguments else {
        return usual();
    };
    if !is_command_option(option) {
        return usual();
    }
    let words = before.iter().take_while(|word| !word.starts_with('-'));
    let shell: Vec<String> = words.cloned().collect();
    if shell.is_empty() { usual() } else { shell }
}

/// `-c`, also behind other letters: `-ec`, `-lc`.
fn is_command_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        letters.ends_with('c') && letters.bytes().all(|letter| letter.is_ascii_alphabetic())
    })
}
