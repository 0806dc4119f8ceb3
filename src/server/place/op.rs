//! The failed operation, as protojson: 64-bit numbers are strings, enums are names, zero values are
//! left out, and names keep the odd case of the proto files (`cacheOpt.ID`, `TmpfsOpt`, `SSHOpt`).
//!
//! Names are compared without case, because engines do not agree on it.

use serde_json::{Map, Value};

use crate::proto::pb;

/// An operation that can be looked into.
#[derive(Clone, Debug, PartialEq)]
pub enum FailedOp {
    /// A RUN.
    Exec(Box<Exec>),
    /// A COPY, ADD or WORKDIR: index of the input that it starts from, if it starts from one.
    File(Option<usize>),
}

/// A RUN, and what of it the gateway API cannot carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exec {
    /// Arguments, variables, directory, user, hosts.
    pub meta: pb::Meta,
    /// Mounts in the order of the ids; `input` is the index of the op's input.
    pub mounts: Vec<pb::Mount>,
    /// Network mode.
    pub network: pb::NetMode,
    /// Security mode.
    pub security: pb::SecurityMode,
    /// Variables that hold secrets.
    pub secret_env: Vec<pb::SecretEnv>,
    /// Settings of the step that are lost, one line each.
    pub lost: Vec<String>,
}

/// Fields of `exec.meta` that are carried, or mean nothing to a process.
const KNOWN_META: [&str; 10] = [
    "args",
    "env",
    "cwd",
    "user",
    "proxyenv",
    "extrahosts",
    "hostname",
    "removemountstubsrecursive",
    "validexitcodes",
    "ulimit",
];

/// Reads the kinds of operation that have a state; `None` for others.
pub fn read(op: &Value) -> Option<FailedOp> {
    let op = op.as_object()?;
    if let Some(exec) = object(op, "exec") {
        return Some(FailedOp::Exec(Box::new(read_exec(exec))));
    }
    let file = object(op, "file")?;
    let first = list(file, "actions").next().and_then(Value::as_object);
    let input = first.map_or(-1, |action| number(action, "input"));
    Some(FailedOp::File(usize::try_from(input).ok()))
}

/// Digest and output of an input of the op.
pub fn input(op: &Value, index: usize) -> Option<pb::Input> {
    let input = list(op.as_object()?, "inputs").nth(index)?.as_object()?;
    Some(pb::Input {
        digest: text(input, "digest"),
        index: number(input, "index"),
    })
}

/// Number of inputs of the op.
pub fn inputs(op: &Value) -> usize {
    op.as_object().map_or(0, |op| list(op, "inputs").count())
}

/// The platform that the op runs on.
pub fn platform(op: &Value) -> Option<pb::Platform> {
    let platform = object(op.as_object()?, "platform")?;
    Some(pb::Platform {
        architecture: text(platform, "architecture"),
        os: text(platform, "os"),
        variant: text(platform, "variant"),
        os_version: text(platform, "osversion"),
        os_features: texts(platform, "osfeatures"),
    })
}

fn read_exec(exec: &Map<String, Value>) -> Exec {
    let empty = Map::new();
    let meta = object(exec, "meta").unwrap_or(&empty);
    let mut lost = Vec::new();
    let limits: Vec<String> = objects(meta, "ulimit")
        .map(|limit| text(limit, "name"))
        .collect();
    if !limits.is_empty() {
        lost.push(format!("the limits of the step ({})", limits.join(", ")));
    }
    for (name, value) in meta {
        let plain = plain(name);
        if KNOWN_META.contains(&plain.as_str()) || is_zero(value) {
            continue;
        }
        lost.push(match plain.as_str() {
            "cgroupparent" => "the control group of the step".to_owned(),
            other if other.contains("resources") => "the resource limits of the step".to_owned(),
            _ => format!("the setting {name:?} of the step"),
        });
    }
    if list(exec, "cdidevices").next().is_some() {
        lost.push("the devices of the step".to_owned());
    }
    let mut mounts = Vec::new();
    for json in objects(exec, "mounts") {
        let mount = read_mount(json);
        if mount.tmpfs_opt.is_some_and(|options| options.size != 0) {
            lost.push(format!("the size of the tmpfs {}", mount.dest));
        }
        mounts.push(mount);
    }
    Exec {
        meta: read_meta(meta),
        mounts,
        network: named(exec, "network", pb::NetMode::from_str_name),
        security: named(exec, "security", pb::SecurityMode::from_str_name),
        secret_env: objects(exec, "secretenv")
            .map(|secret| pb::SecretEnv {
                id: text(secret, "id"),
                name: text(secret, "name"),
                optional: flag(secret, "optional"),
            })
            .collect(),
        lost,
    }
}

fn read_meta(meta: &Map<String, Value>) -> pb::Meta {
    pb::Meta {
        args: texts(meta, "args"),
        env: texts(meta, "env"),
        cwd: text(meta, "cwd"),
        user: text(meta, "user"),
        hostname: text(meta, "hostname"),
        extra_hosts: objects(meta, "extrahosts")
            .map(|host| pb::HostIp {
                host: text(host, "host"),
                ip: text(host, "ip"),
            })
            .collect(),
        proxy_env: object(meta, "proxyenv").map(|proxies| pb::ProxyEnv {
            http_proxy: text(proxies, "httpproxy"),
            https_proxy: text(proxies, "httpsproxy"),
            ftp_proxy: text(proxies, "ftpproxy"),
            no_proxy: text(proxies, "noproxy"),
            all_proxy: text(proxies, "allproxy"),
        }),
        ..Default::default()
    }
}

fn read_mount(mount: &Map<String, Value>) -> pb::Mount {
    pb::Mount {
        input: number(mount, "input"),
        output: number(mount, "output"),
        dest: text(mount, "dest"),
        selector: text(mount, "selector"),
        readonly: flag(mount, "readonly"),
        mount_type: named(mount, "mounttype", pb::MountType::from_str_name) as i32,
        tmpfs_opt: object(mount, "tmpfsopt").map(|options| pb::TmpfsOpt {
            size: number(options, "size"),
        }),
        cache_opt: object(mount, "cacheopt").map(|options| pb::CacheOpt {
            id: text(options, "id"),
            sharing: named(options, "sharing", pb::CacheSharingOpt::from_str_name) as i32,
        }),
        secret_opt: object(mount, "secretopt").map(|options| pb::SecretOpt {
            id: text(options, "id"),
            uid: small(options, "uid"),
            gid: small(options, "gid"),
            mode: small(options, "mode"),
            optional: flag(options, "optional"),
        }),
        ssh_opt: object(mount, "sshopt").map(|options| pb::SshOpt {
            id: text(options, "id"),
            uid: small(options, "uid"),
            gid: small(options, "gid"),
            mode: small(options, "mode"),
            optional: flag(options, "optional"),
        }),
        ..Default::default()
    }
}

/// A name without case and underscores.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter()
        .find(|(key, _)| plain(key) == name)
        .map(|(_, value)| value)
}

fn object<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    field(map, name)?.as_object()
}

fn list<'a>(map: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    field(map, name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn objects<'a>(
    map: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    list(map, name).filter_map(Value::as_object)
}

fn text(map: &Map<String, Value>, name: &str) -> String {
    field(map, name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn texts(map: &Map<String, Value>, name: &str) -> Vec<String> {
    list(map, name)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn number(map: &Map<String, Value>, name: &str) -> i64 {
    field(map, name)
        .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
        .unwrap_or_default()
}

fn small(map: &Map<String, Value>, name: &str) -> u32 {
    u32::try_from(number(map, name)).unwrap_or_default()
}

fn flag(map: &Map<String, Value>, name: &str) -> bool {
    field(map, name)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// An enum by its name, or by its number as newer engines may write what they added.
fn named<E>(map: &Map<String, Value>, name: &str, from_name: fn(&str) -> Option<E>) -> E
where
    E: Default + TryFrom<i32>,
{
    let by_number = || i32::try_from(number(map, name)).ok();
    field(map, name)
        .and_then(Value::as_str)
        .and_then(from_name)
        .or_else(|| E::try_from(by_number()?).ok())
        .unwrap_or_default()
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(true) => false,
    }
}
