//! The place in the result of a build: its root with the settings of its image.

use serde_json::Value;
use tonic::Status;

use super::{Ground, Place, Root, SHELL, absolute, set, shell_of};
use crate::proto::controller::State;
use crate::proto::pb;
use crate::server::state::PlatformResult;

/// The place in the result for `platform`, or in the first when it is empty.
pub fn place(results: &[PlatformResult], platform: &str) -> Result<Place, Status> {
    let found = if platform.is_empty() {
        results.first()
    } else {
        results.iter().find(|result| result.platform == platform)
    };
    let result = match found {
        Some(result) => result,
        // The frontend did not name its only platform.
        None if matches!(results, [only] if only.platform.is_empty()) => {
            return Err(Status::invalid_argument(format!(
                "the result is not for {platform}: it has one platform only, leave it out"
            )));
        }
        None if results.is_empty() => {
            return Err(Status::failed_precondition("the build has no result"));
        }
        None => {
            let names: Vec<&str> = results.iter().map(|r| r.platform.as_str()).collect();
            return Err(Status::invalid_argument(format!(
                "the result is not for {platform}: it is for {}",
                names.join(", ")
            )));
        }
    };
    if result.reference.is_empty() {
        return Err(Status::failed_precondition(
            "the result is empty: there is nothing to start a process in",
        ));
    }
    let image = result.config.as_ref().unwrap_or(&Value::Null);
    let config = image.get("config").unwrap_or(&Value::Null);
    let mut environment = Vec::new();
    for variable in texts(config, "Env") {
        set(&mut environment, &variable);
    }
    let shell = texts(config, "Shell");
    Ok(Place {
        ground: Ground {
            root: Root::Ref(result.reference.clone()),
            mounts: Vec::new(),
            network: pb::NetMode::Unset,
            extra_hosts: Vec::new(),
            hostname: String::new(),
            platform: platform_of(&result.platform, image),
            security: pb::SecurityMode::Sandbox,
            secret_env: Vec::new(),
        },
        state: State::After,
        step: String::new(),
        platform: result.platform.clone(),
        shell: if shell.is_empty() {
            vec![SHELL.to_owned()]
        } else {
            // The configuration lacks the command that follows.
            shell_of(&[shell, vec![String::new()]].concat())
        },
        arguments: Vec::new(),
        environment,
        user: text(config, "User"),
        user_is_asked: false,
        directory: absolute(&text(config, "WorkingDir")),
        directory_is_asked: false,
        notes: Vec::new(),
    })
}

fn platform_of(name: &str, image: &Value) -> Option<pb::Platform> {
    let mut parts = name.split('/');
    let mut part = |key: &str| match parts.next() {
        Some(part) if !part.is_empty() => part.to_owned(),
        _ => text(image, key),
    };
    let platform = pb::Platform {
        os: part("os"),
        architecture: part("architecture"),
        variant: part("variant"),
        ..Default::default()
    };
    (!platform.os.is_empty() && !platform.architecture.is_empty()).then_some(platform)
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
