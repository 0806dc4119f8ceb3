//! The gateway API on the real engine: lazy and evaluated solves, reading refs, containers,
//! processes, typed errors, and the two ways a build ends.

mod old;

use std::collections::HashMap;
use std::time::Duration;

use buildx::engine::control::Engine;
use buildx::engine::errors::decode;
use buildx::engine::gateway::{ContainerSpec, Gateway, ProcessSpec, Returned, Target, single_ref};
use buildx::engine::id::new_id;
use buildx::proto::control::{SolveRequest, SolveResponse};
use buildx::proto::gateway::exec_message::Input;
use buildx::proto::{RpcStatus, pb};
use prost::Message;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::support::engine::engine;

/// A build held open by a `Control.Solve` without frontend and definition.
struct Open {
    gateway: Gateway,
    solve: JoinHandle<Result<SolveResponse, Status>>,
}

async fn open() -> Open {
    let (engine, _) = Engine::connect(&engine().transport()).await.unwrap();
    let reference = new_id().unwrap();
    let request = SolveRequest {
        r#ref: reference.clone(),
        cache: Some(Default::default()),
        ..Default::default()
    };
    let gateway = Gateway::new(&engine, &reference).unwrap();
    let solve = tokio::spawn(async move { engine.solve(request).await });
    gateway.ping().await.unwrap();
    Open { gateway, solve }
}

impl Open {
    async fn cancel(self) {
        let error = RpcStatus {
            code: Code::Cancelled as i32,
            message: "context canceled".into(),
            details: Vec::new(),
        };
        self.gateway.finish(Returned::Error(error)).await.unwrap();
        assert_eq!(
            self.solve.await.unwrap().unwrap_err().code(),
            Code::Cancelled
        );
    }
}

fn digest(op: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, op);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// A root file system with busybox, and on it `sh -c script`.
fn shell(script: &str) -> pb::Definition {
    let mkfile = |path: &str, mode, data| pb::FileAction {
        input: -1,
        secondary_input: -1,
        output: -1,
        action: Some(pb::file_action::Action::Mkfile(pb::FileActionMkFile {
            path: path.into(),
            mode,
            data,
            timestamp: -1,
            ..Default::default()
        })),
    };
    let busybox = std::fs::read("/bin/busybox").unwrap();
    let first = mkfile("/busybox", 0o755, busybox);
    let mut second = mkfile("/greeting", 0o644, b"hello from the ref".to_vec());
    second.input = 0;
    second.output = 0;
    let root = pb::Op {
        op: Some(pb::op::Op::File(pb::FileOp {
            actions: vec![first, second],
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let run = pb::Op {
        inputs: vec![pb::Input {
            digest: digest(&root),
            index: 0,
        }],
        op: Some(pb::op::Op::Exec(pb::ExecOp {
            meta: Some(meta(&["/busybox", "sh", "-c", script])),
            mounts: vec![pb::Mount {
                dest: "/".into(),
                ..Default::default()
            }],
            network: pb::NetMode::None as i32,
            ..Default::default()
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let end = pb::Op {
        inputs: vec![pb::Input {
            digest: digest(&run),
            index: 0,
        }],
        ..Default::default()
    }
    .encode_to_vec();
    pb::Definition {
        def: vec![root, run, end],
        ..Default::default()
    }
}

fn meta(args: &[&str]) -> pb::Meta {
    pb::Meta {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: vec!["PATH=/".into()],
        cwd: "/".into(),
        ..Default::default()
    }
}

fn spec(args: &[&str]) -> ProcessSpec {
    ProcessSpec {
        meta: meta(args),
        tty: None,
        stdin: false,
        security: pb::SecurityMode::Sandbox,
        secret_env: Vec::new(),
    }
}

/// A container without network: the test engine has no bridge.
fn offline(root: &str) -> ContainerSpec {
    let mut spec = ContainerSpec::new(new_id().unwrap(), root);
    spec.network = pb::NetMode::None;
    spec
}

#[tokio::test]
async fn a_lazy_ref_runs_when_asked_and_can_be_read() {
    let build = open().await;
    let gateway = &build.gateway;
    let marker = new_id().unwrap();
    let target = Target::Definition(shell(&format!("echo {marker} >/made")));
    let result = gateway.solve(target, false).await.unwrap();
    let reference = single_ref(&result).unwrap();

    gateway.evaluate(reference).await.unwrap();
    let made = gateway.read_file(reference, "/made", None).await.unwrap();
    assert_eq!(made, format!("{marker}\n").into_bytes());
    let part = gateway
        .read_file(reference, "/greeting", Some((6, 4)))
        .await
        .unwrap();
    assert_eq!(part, b"from");
    let names: Vec<String> = gateway
        .read_dir(reference, "/")
        .await
        .unwrap()
        .into_iter()
        .map(|stat| stat.path)
        .collect();
    assert!(names.iter().any(|name| name == "busybox"), "{names:?}");
    let stat = gateway.stat_file(reference, "/greeting").await.unwrap();
    assert_eq!((stat.size, stat.mode & 0o777), (18, 0o644));
    let missing = gateway.read_file(reference, "/none", None).await;
    assert!(
        missing
            .unwrap_err()
            .message()
            .ends_with("no such file or directory")
    );

    gateway.finish(Returned::Result(result)).await.unwrap();
    build.solve.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_step_says_which_and_leaves_a_state_to_enter() {
    let build = open().await;
    let gateway = &build.gateway;
    let marker = new_id().unwrap();
    let target = Target::Definition(shell(&format!("echo {marker} >/partial; exit 7")));
    let failed = gateway.solve(target, true).await.unwrap_err();
    let error = decode(&failed);
    assert_eq!(error.exit_code, Some(7), "{error}");
    let exec = error.exec.expect("the engine describes the failed exec");
    let after = exec.mount_ids.first().expect("a mount id for the root");

    let container = gateway.new_container(offline(after)).await.unwrap();
    let mut process = container
        .start("cat", spec(&["/busybox", "cat", "/partial"]))
        .await
        .unwrap();
    let mut printed = Vec::new();
    let mut code = None;
    while let Some(message) = process.output.message().await.unwrap() {
        match message.input {
            Some(Input::File(file)) if file.fd == 1 => printed.extend(file.data),
            Some(Input::Exit(exit)) => code = Some(exit.code),
            Some(Input::Done(_)) => break,
            _ => {}
        }
    }
    assert_eq!(String::from_utf8_lossy(&printed), format!("{marker}\n"));
    assert_eq!(code, Some(0));
    container.release().await.unwrap();
    build.cancel().await;
}

#[tokio::test]
async fn a_process_has_stdin_a_sized_terminal_and_signals() {
    let build = open().await;
    let result = build
        .gateway
        .solve(Target::Definition(shell("true")), true)
        .await
        .unwrap();
    let container = build
        .gateway
        .new_container(offline(single_ref(&result).unwrap()))
        .await
        .unwrap();
    let mut process = container
        .start(
            "sh",
            ProcessSpec {
                tty: Some((40, 120)),
                stdin: true,
                ..spec(&["/busybox", "sh"])
            },
        )
        .await
        .unwrap();
    assert!(process.input.signal("SIGTERM").await.is_err());
    let mut screen = String::new();
    let (mut asked, mut answered) = (false, false);
    let mut code = None;
    let talk = async {
        while let Some(message) = process.output.message().await.unwrap() {
            match message.input {
                Some(Input::File(file)) => screen.push_str(&String::from_utf8_lossy(&file.data)),
                Some(Input::Exit(exit)) => {
                    code = Some(exit.code);
                    process.input.close_stdin().await.unwrap();
                }
                Some(Input::Done(_)) => break,
                _ => {}
            }
            // A shell throws away what is typed before its prompt.
            if !asked && screen.contains("# ") {
                asked = true;
                let line = "until [ \"$(/busybox stty size)\" = '40 120' ]; do :; done; echo si''zed; read x; exit 3\n";
                process.input.write(line.into()).await.unwrap();
            }
            if !answered && screen.contains("sized") {
                answered = true;
                process.input.write(b"go\n".to_vec()).await.unwrap();
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), talk).await;
    assert!(ended.is_ok(), "{screen}");
    assert_eq!(code, Some(3), "{screen}");
    build.cancel().await;
}

#[tokio::test]
async fn an_unknown_frontend_is_refused_in_words() {
    let build = open().await;
    let target = Target::Frontend {
        name: "nosuch.v0".into(),
        options: HashMap::new(),
        inputs: Default::default(),
    };
    let error = decode(&build.gateway.solve(target, false).await.unwrap_err());
    assert!(error.message.contains("nosuch.v0"), "{error}");
    assert!(!error.message.contains("rpc error"), "{error}");
    build.cancel().await;
}
