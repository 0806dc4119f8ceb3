//! Operations as real engines describe them.

use prost::Message;
use serde_json::{Value, json};
use tonic::Code;

use super::op::FailedOp;
use super::*;
use crate::engine::errors::{BuildError, FailedExec};
use crate::server::state::PlatformResult;

/// A failed RUN of Docker 26.1 with everything that a RUN can have.
const RUN: &str = r#"{"constraints":{},"exec":{"meta":{"args":["/bin/bash","-o","pipefail","-c","make; exit 3"],
"cgroupParent":"/x","cwd":"/w","env":["PATH=/usr/bin:/bin","A=b","A=c"],"extraHosts":[{"Host":"a","IP":"1.2.3.4"}],
"hostname":"hh","proxyEnv":{"httpProxy":"http://u:p@x"},"removeMountStubsRecursive":true,
"ulimit":[{"Hard":"200","Name":"nofile","Soft":"100"}],"user":"1000:1000"},
"mounts":[{"dest":"/"},{"dest":"/bb","input":"1","output":"-1","selector":"/busybox"},
{"cacheOpt":{"ID":"/foo","sharing":"LOCKED"},"dest":"/c","input":"-1","mountType":"CACHE","output":"-1"},
{"dest":"/ctx","input":"1","output":"-1","readonly":true},
{"TmpfsOpt":{"size":"1234567"},"dest":"/dev/shm","input":"-1","mountType":"TMPFS","output":"-1"},
{"TmpfsOpt":{"size":"1000000"},"dest":"/t","input":"-1","mountType":"TMPFS","output":"-1"},
{"dest":"/sec","mountType":"SECRET","secretOpt":{"ID":"s","mode":256,"optional":true,"uid":5}},
{"SSHOpt":{"ID":"default","mode":384,"optional":true},"dest":"/run/agent","input":"-1","mountType":"SSH","output":"-1"}],
"network":"NONE","security":"INSECURE","secretenv":[{"ID":"tok","name":"TOKEN","optional":true}]},
"inputs":[{"digest":"sha256:61"},{"digest":"sha256:41","index":"2"}],"platform":{"Architecture":"arm","OS":"linux","Variant":"v7"}}"#;

/// A failed COPY whose source is missing: its one id is that of the source.
const COPY: &str = r#"{"constraints":{},"file":{"actions":[{"copy":{"allowEmptyWildcard":true,"dest":"/x","mode":-1,
"src":"/nosuch","timestamp":"-1"},"secondaryInput":"1"}]},"inputs":[{"digest":"PARENT"},{"digest":"sha256:a4"}],
"platform":{"Architecture":"amd64","OS":"linux"}}"#;

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

fn failed(op: &str, inputs: usize, mounts: usize) -> FailedExec {
    FailedExec {
        op: serde_json::from_str(op).unwrap(),
        input_ids: ids("in", inputs),
        mount_ids: ids("out", mounts),
    }
}

fn place_in(
    exec: &FailedExec,
    definition: Option<&pb::Definition>,
    vertex: &str,
    state: State,
) -> Result<Place, String> {
    failed::place(exec, definition, vertex, state)
}

#[test]
fn a_run_is_carried_over() {
    let place = place_in(&failed(RUN, 8, 8), None, "", State::After).unwrap();
    assert_eq!(place.ground.root, Root::Ref("out0".into()));
    assert_eq!(place.state, State::After);
    assert_eq!(place.shell, ["/bin/bash"]);
    assert_eq!(place.directory, "/w");
    assert_eq!(place.user, "1000:1000");
    assert_eq!(
        place.environment,
        [
            "PATH=/usr/bin:/bin",
            "A=c",
            "HTTP_PROXY=http://u:p@x",
            "http_proxy=http://u:p@x"
        ]
    );
    let ground = &place.ground;
    assert_eq!(ground.network, pb::NetMode::None);
    assert_eq!(ground.security, pb::SecurityMode::Insecure);
    assert_eq!(ground.hostname, "hh");
    assert_eq!(
        (
            ground.extra_hosts[0].host.as_str(),
            ground.extra_hosts[0].ip.as_str()
        ),
        ("a", "1.2.3.4")
    );
    let platform = ground.platform.as_ref().unwrap();
    assert_eq!(
        (
            platform.os.as_str(),
            platform.architecture.as_str(),
            platform.variant.as_str()
        ),
        ("linux", "arm", "v7")
    );
    assert_eq!(
        (
            ground.secret_env[0].id.as_str(),
            ground.secret_env[0].name.as_str()
        ),
        ("tok", "TOKEN")
    );
    let mounts: Vec<(&str, &str, pb::MountType)> = ground
        .mounts
        .iter()
        .map(|mount| {
            (
                mount.dest.as_str(),
                mount.result_id.as_str(),
                mount.mount_type(),
            )
        })
        .collect();
    assert_eq!(
        mounts,
        [
            ("/bb", "out1", pb::MountType::Bind),
            ("/c", "out2", pb::MountType::Cache),
            ("/ctx", "out3", pb::MountType::Bind),
            ("/t", "", pb::MountType::Tmpfs),
            ("/sec", "", pb::MountType::Secret),
            ("/run/agent", "", pb::MountType::Ssh),
        ]
    );
    assert_eq!(ground.mounts[0].selector, "/busybox");
    assert!(ground.mounts[2].readonly && !ground.mounts[0].readonly);
    let cache = ground.mounts[1].cache_opt.as_ref().unwrap();
    assert_eq!(
        (cache.id.as_str(), cache.sharing()),
        ("/foo", pb::CacheSharingOpt::Locked)
    );
    let secret = ground.mounts[4].secret_opt.as_ref().unwrap();
    assert_eq!(
        (secret.id.as_str(), secret.uid, secret.mode, secret.optional),
        ("s", 5, 256, true)
    );
    assert_eq!(ground.mounts[5].ssh_opt.as_ref().unwrap().mode, 384);
    let notes = place.notes.join("\n");
    for lost in [
        "limits of the step (nofile)",
        "control group",
        "size of the tmpfs /dev/shm",
        "size of the tmpfs /t",
        "/c is the real cache",
    ] {
        assert!(notes.contains(lost), "{lost}: {notes}");
    }
    assert_eq!(place.notes.len(), 5, "{notes}");
}

#[test]
fn before_a_run_are_its_inputs() {
    let place = place_in(&failed(RUN, 8, 8), None, "", State::Before).unwrap();
    assert_eq!(place.ground.root, Root::Ref("in0".into()));
    assert_eq!(place.ground.mounts[2].result_id, "in3");
    assert_eq!(place.state, State::Before);
}

#[test]
fn the_name_is_that_of_this_builds_step_when_the_failure_is_of_anothers() {
    let failed = failed(RUN, 8, 8);
    let exec = pb::ExecOp {
        meta: Some(pb::Meta {
            args: ["/bin/bash", "-o", "pipefail", "-c", "make; exit 3"]
                .map(str::to_owned)
                .to_vec(),
            env: ["PATH=/usr/bin:/bin", "A=b", "A=c"]
                .map(str::to_owned)
                .to_vec(),
            cwd: "/w".into(),
            user: "1000:1000".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let op = pb::Op {
        op: Some(pb::op::Op::Exec(exec)),
        ..Default::default()
    };
    let bytes = op.encode_to_vec();
    let own = crate::engine::vertex::digest(&bytes);
    let mut definition = pb::Definition {
        def: vec![bytes],
        ..Default::default()
    };
    let name = |name: &str| {
        let description = [("llb.customname".to_owned(), name.to_owned())];
        pb::OpMetadata {
            description: description.into(),
            ..Default::default()
        }
    };
    definition.metadata.insert(own, name("[2/3] RUN make"));
    let place = place_in(&failed, Some(&definition), "sha256:others", State::After).unwrap();
    assert_eq!(place.step, "[2/3] RUN make");
}

/// root (a RUN) ← WORKDIR ← `last`, and the end.
fn definition(last: impl FnOnce(pb::Input) -> pb::Op) -> (pb::Definition, [String; 3]) {
    let digest = |bytes: &[u8]| {
        let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex}")
    };
    let input = |digest: &str| pb::Input {
        digest: digest.to_owned(),
        index: 0,
    };
    let run = pb::Op {
        inputs: vec![input("sha256:base")],
        op: Some(pb::op::Op::Exec(pb::ExecOp {
            meta: Some(pb::Meta {
                args: ["/bin/ash", "-ec", "true"].map(str::to_owned).to_vec(),
                env: vec!["E=1".into()],
                cwd: "/in".into(),
                user: "7".into(),
                ..Default::default()
            }),
            mounts: vec![pb::Mount {
                dest: "/".into(),
                ..Default::default()
            }],
            network: pb::NetMode::Host as i32,
            ..Default::default()
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let workdir = pb::Op {
        inputs: vec![input(&digest(&run))],
        op: Some(pb::op::Op::File(pb::FileOp {
            actions: vec![pb::FileAction::default()],
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let last = last(input(&digest(&workdir))).encode_to_vec();
    let end = pb::Op {
        inputs: vec![input(&digest(&last))],
        ..Default::default()
    }
    .encode_to_vec();
    let digests = [digest(&run), digest(&workdir), digest(&last)];
    let def = vec![run, workdir, last, end];
    (
        pb::Definition {
            def,
            ..Default::default()
        },
        digests,
    )
}

fn copy(input: i64, inputs: Vec<pb::Input>) -> pb::Op {
    pb::Op {
        inputs,
        op: Some(pb::op::Op::File(pb::FileOp {
            actions: vec![pb::FileAction {
                input,
                secondary_input: 1,
                ..Default::default()
            }],
        })),
        ..Default::default()
    }
}

#[test]
fn a_source_belongs_to_the_step_that_needs_it() {
    let source = pb::Op {
        op: Some(pb::op::Op::Source(pb::SourceOp {
            identifier: "http://127.0.0.1:1/none".to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let url = crate::engine::vertex::digest(&source);
    let (mut definition, [_, parent, add]) = definition(|input| {
        let source = pb::Input {
            digest: url.clone(),
            index: 0,
        };
        copy(0, vec![input, source])
    });
    definition.def.insert(0, source);
    let (failed, vertex) = user_of(&definition, &url).unwrap();
    assert_eq!(vertex, add);
    let place = place_in(&failed, Some(&definition), &vertex, State::After).unwrap();
    assert_eq!(end_of(&place.ground.root).digest, parent);
    assert_eq!(
        (place.state, place.directory.as_str()),
        (State::Before, "/in")
    );
    // The state before is what failed, or is empty.
    assert!(user_of(&definition, &parent).is_none());
    assert!(user_of(&definition, "").is_none());
}

/// What a definition results in.
fn end_of(root: &Root) -> pb::Input {
    let Root::Parent(definition) = root else {
        panic!("{root:?}");
    };
    let end = pb::Op::decode(definition.def.last().unwrap().as_slice()).unwrap();
    end.inputs[0].clone()
}

#[test]
fn a_copy_starts_from_its_parent_with_the_settings_of_the_last_run() {
    let (definition, [_, parent, copy]) = definition(|input| copy(0, vec![input]));
    let exec = failed(&COPY.replace("PARENT", &parent), 1, 0);
    let place = place_in(&exec, Some(&definition), &copy, State::After).unwrap();
    assert_eq!(end_of(&place.ground.root).digest, parent);
    assert_eq!(
        (place.user.as_str(), place.directory.as_str()),
        ("7", "/in")
    );
    assert_eq!(place.environment, ["E=1"]);
    assert_eq!(place.shell, ["/bin/ash"]);
    assert_eq!(place.ground.network, pb::NetMode::Host);
    assert_eq!(place.state, State::Before);
    assert!(
        place
            .notes
            .iter()
            .any(|note| note.contains("the state before it"))
    );
    // With an id for each input the definition is not needed for the root.
    let exec = failed(&COPY.replace("PARENT", &parent), 2, 0);
    let place = place_in(&exec, None, "", State::Before).unwrap();
    assert_eq!(place.ground.root, Root::Ref("in0".into()));
    let exec = failed(COPY, 1, 0);
    assert!(place_in(&exec, None, "", State::After).is_err());
}

#[test]
fn a_layer_of_its_own_starts_from_what_it_is_put_on() {
    let linked = r#"{"file":{"actions":[{"input":"-1","copy":{"src":"/nosuch"}}]},"inputs":[{"digest":"sha256:a4"}]}"#;
    let (mut definition, [_, workdir, copied]) = definition(|_| copy(-1, Vec::new()));
    let merge = pb::Op {
        inputs: [&workdir, &copied]
            .map(|digest| pb::Input {
                digest: digest.clone(),
                index: 0,
            })
            .to_vec(),
        op: Some(pb::op::Op::Merge(pb::MergeOp {
            inputs: vec![pb::MergeInput { input: 0 }, pb::MergeInput { input: 1 }],
        })),
        ..Default::default()
    };
    definition.def.insert(3, merge.encode_to_vec());
    let exec = failed(linked, 1, 0);
    let place = place_in(&exec, Some(&definition), &copied, State::After).unwrap();
    assert_eq!(end_of(&place.ground.root).digest, workdir);
}

#[test]
fn a_run_that_never_ran_starts_from_its_parent_without_foreign_mounts() {
    let (definition, [_, parent, _]) = definition(|input| copy(0, vec![input]));
    let exec = failed(&RUN.replace("sha256:61", &parent), 1, 0);
    let place = place_in(&exec, Some(&definition), "", State::After).unwrap();
    assert_eq!(end_of(&place.ground.root).digest, parent);
    let dests: Vec<&str> = place
        .ground
        .mounts
        .iter()
        .map(|m| m.dest.as_str())
        .collect();
    assert_eq!(dests, ["/c", "/t", "/sec", "/run/agent"]);
    assert!(
        place
            .notes
            .iter()
            .any(|note| note.contains("the mount /bb"))
    );
}

#[test]
fn hostile_operations_are_no_place() {
    for op in [
        json!(null),
        json!({"exec": 5}),
        json!({"exec": {}}),
        json!({"exec": {"mounts": [{"dest": 7}, "x", null]}}),
        json!({"exec": {"mounts": [{"dest": "/", "input": "99999999999999999999"}]}}),
        json!({"exec": {"mounts": [{"dest": "/", "input": "-9"}]}}),
        json!({"source": {"identifier": "docker-image://x"}}),
        json!({"file": {"actions": "x"}}),
        json!({"file": {"actions": [{"input": "12"}]}, "inputs": []}),
    ] {
        let exec = FailedExec {
            op,
            input_ids: Vec::new(),
            mount_ids: Vec::new(),
        };
        let (definition, _) = definition(|input| copy(0, vec![input]));
        for state in [State::After, State::Before] {
            assert!(
                place_in(&exec, Some(&definition), "", state).is_err(),
                "{exec:?}"
            );
        }
    }
}

#[test]
fn names_are_read_in_any_case_and_numbers_in_both_forms() {
    let op: Value = serde_json::from_str(
        r#"{"exec":{"mounts":[{"dest":"/","mount_type":"CACHE","cache_opt":{"id":"x","sharing":1},"input":3}],"cdiDevices":[{"name":"gpu"}],
        "meta":{"linuxResources":{"memory":"5"},"newThing":true}}}"#,
    )
    .unwrap();
    let Some(FailedOp::Exec(exec)) = op::read(&op) else {
        panic!("an exec");
    };
    let mount = &exec.mounts[0];
    assert_eq!((mount.mount_type(), mount.input), (pb::MountType::Cache, 3));
    assert_eq!(
        mount.cache_opt.as_ref().unwrap().sharing(),
        pb::CacheSharingOpt::Private
    );
    assert_eq!(exec.lost.len(), 3, "{:?}", exec.lost);
}

#[test]
fn the_shell_is_what_comes_before_the_command() {
    for (arguments, shell) in [
        (&["/bin/sh", "-c", "x"][..], &["/bin/sh"][..]),
        (&["/bin/bash", "-eo", "pipefail", "-c", "x"], &["/bin/bash"]),
        (&["/bin/bash", "-lc", "x"], &["/bin/bash"]),
        (&["/busybox", "sh", "-c", "x"], &["/busybox", "sh"]),
        (&["/app/serve", "--config", "x"], &["/bin/sh"]),
        (&["cc", "-c"], &["/bin/sh"]),
        (&["-c", "x"], &["/bin/sh"]),
        (&[], &["/bin/sh"]),
    ] {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(shell_of(&arguments), shell, "{arguments:?}");
    }
}

fn result(platform: &str, reference: &str, config: Value) -> PlatformResult {
    PlatformResult {
        platform: platform.into(),
        reference: reference.into(),
        config: Some(json!({"os": "linux", "architecture": "arm64", "config": config})),
    }
}

#[test]
fn a_result_has_the_settings_of_its_image() {
    let config = json!({"Env": ["A=b"], "WorkingDir": "srv", "User": "joe", "Entrypoint": ["e"], "Cmd": ["c"],
        "Shell": ["/bin/bash", "-c"]});
    let place = image::place(&[result("", "r", config)], "").unwrap();
    assert_eq!(place.environment, ["A=b"]);
    assert_eq!(
        (place.directory.as_str(), place.user.as_str()),
        ("/srv", "joe")
    );
    assert_eq!(place.shell, ["/bin/bash"]);
    assert!(place.arguments.is_empty());
    assert_eq!(place.ground.platform.unwrap().architecture, "arm64");
    let empty = image::place(&[result("", "r", Value::Null)], "").unwrap();
    assert_eq!(
        (empty.directory.as_str(), empty.shell[0].as_str()),
        ("/", "/bin/sh")
    );
}

#[test]
fn a_platform_is_chosen_by_name() {
    let results = [
        result("linux/amd64", "one", Value::Null),
        result("linux/arm64/v8", "two", Value::Null),
        result("linux/s390x", "", Value::Null),
    ];
    let root = |platform| image::place(&results, platform).map(|place| place.ground.root);
    assert_eq!(root("").unwrap(), Root::Ref("one".into()));
    assert_eq!(root("linux/arm64/v8").unwrap(), Root::Ref("two".into()));
    assert_eq!(
        root("linux/s390x").unwrap_err().code(),
        Code::FailedPrecondition
    );
    let unknown = root("plan9/amd64").unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    assert!(
        unknown
            .message()
            .contains("linux/amd64, linux/arm64/v8, linux/s390x")
    );
    assert_eq!(
        image::place(&[], "").unwrap_err().code(),
        Code::FailedPrecondition
    );
}

#[test]
fn a_failed_step_is_for_its_platform_only() {
    let platform = |variant: &str| pb::Platform {
        os: "linux".into(),
        architecture: "arm".into(),
        variant: variant.into(),
        ..Default::default()
    };
    assert!(only_for(Some(&platform("")), "").is_ok());
    assert!(only_for(Some(&platform("")), "linux/arm").is_ok());
    assert!(only_for(Some(&platform("v7")), "linux/arm/v7").is_ok());
    let other = only_for(Some(&platform("v7")), "linux/arm64").unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    assert_eq!(
        other.message(),
        "the step is not for linux/arm64: it is for linux/arm/v7"
    );
    assert!(only_for(None, "linux/arm").is_err());
}

#[test]
fn why_there_is_no_state_is_said_in_a_sentence() {
    for (message, part) in [
        (
            "dockerfile parse error on line 2: unknown instruction: BLAH",
            "could not be read",
        ),
        (
            "target stage \"nosuch\" could not be found",
            "no stage of that name",
        ),
        (
            "nosuch:latest: failed to resolve source metadata for docker.io/library/nosuch:latest: no such host",
            "base image",
        ),
        (
            "failed to read dockerfile: open Dockerfile: no such file or directory",
            "no Dockerfile",
        ),
        (
            "process \"/bin/sh -c x\" did not complete successfully: exit code: 3",
            "before 23.0",
        ),
        ("something else", "outside of its steps"),
    ] {
        let why = why_no_state(&BuildError::local(message)).unwrap();
        assert!(why.contains(part), "{why}");
    }
    let mut error = BuildError::local("x");
    error.exec = Some(failed(RUN, 8, 8));
    assert_eq!(why_no_state(&error), None);
    error.exec = Some(failed(r#"{"source":{}}"#, 0, 0));
    assert!(why_no_state(&error).is_some());
    assert!(
        why_no_state(&BuildError::canceled())
            .unwrap()
            .contains("stopped")
    );
}
