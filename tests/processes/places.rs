//! Where processes start: in failed steps and in results.

use buildx::engine::errors::decode;
use buildx::engine::gateway::Target;
use buildx::proto::controller::{ExecRequest, State};
use buildx::proto::{gateway, pb};
use buildx::server::state::{Inside, OpenState};
use prost::Message;
use tonic::Code;

use super::session::{OFFLINE, Session, plain, terminal};
use crate::support::context::Context;

#[tokio::test]
async fn a_process_has_user_directory_and_variables_of_the_step() {
    let session = Session::failed(
        "WORKDIR /app\nENV COLOR='dark blue'\nUSER 1000:1001\nRUN echo UNIQUE; exit 1\n",
    )
    .await;
    let command = "id -u; id -g; pwd; echo $COLOR; echo ${TERM:-none}";
    let (printed, code) = session.run(command).await;
    assert_eq!(printed, "1000\n1001\n/app\ndark blue\nnone\n");
    assert_eq!(code, Some(0));

    let request = ExecRequest {
        user: Some("0:0".into()),
        directory: Some("../bin".into()),
        environment: vec!["COLOR=red".into(), "MORE=1".into()],
        ..plain(&["sh", "-c", command])
    };
    let (printed, _) = session.run_as(request).await;
    assert_eq!(printed, "0\n0\n/bin\nred\nnone\n");
    session.close().await;
}

#[tokio::test]
async fn the_shell_is_that_of_the_step() {
    let session =
        Session::failed("SHELL [\"/bin/ash\", \"-e\", \"-c\"]\nRUN echo UNIQUE; exit 1\n").await;
    let (process, _) = session.exec(terminal(&[])).await;
    assert_eq!(session.listed(&process).await.arguments, ["/bin/ash"]);
    let mut client = session.attach(&process).await;
    client.type_in("false; echo still $TERM $0\n").await;
    client.sees("still xterm-256color /bin/ash").await;
    client.type_in("exit 3\n").await;
    assert_eq!(client.exited().await.exit_code, Some(3));
    session.close().await;
}

#[tokio::test]
async fn partial_writes_are_there_after_the_step_and_not_before() {
    let session = Session::failed("RUN echo UNIQUE >/partial; exit 1\n").await;
    let (_, code) = session.run("test -s /partial").await;
    assert_eq!(code, Some(0));
    let request = ExecRequest {
        state: State::Before.into(),
        ..plain(&["test", "-e", "/partial"])
    };
    let (_, code) = session.run_as(request).await;
    assert_eq!(code, Some(1));
    session.close().await;
}

#[tokio::test]
async fn mounts_hosts_and_network_are_those_of_the_step() {
    let run = "RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch,size=1m \
         --mount=type=secret,id=key,target=/key --mount=type=bind,source=busybox,target=/bound \
         --network=none echo UNIQUE >/cache/made; exit 1\n";
    let context = Context::busybox(&run.replace("UNIQUE", &buildx::engine::id::new_id().unwrap()));
    let session = Session::new(context, &[("key", "of the door")]).await;
    let options = [
        OFFLINE,
        ("add-hosts", "db.example=10.0.0.7"),
        ("hostname", "workshop"),
        ("ulimit", "nofile=100:200"),
        ("build-arg:http_proxy", "http://proxy.example:3128"),
    ];
    let state = session.build.failed(&options).await;
    session.open(state).await;
    let (process, notes) = session
        .exec(plain(&[
            "sh",
            "-c",
            "cat /key; echo; test -s /cache/made && echo cache; test -s /bound && echo bound; \
             grep -c ' /scratch tmpfs' /proc/mounts; grep db.example /etc/hosts; hostname; \
             ip -o link | wc -l; echo $http_proxy $HTTP_PROXY",
        ]))
        .await;
    let mut client = session.attach(&process).await;
    assert_eq!(client.exited().await.exit_code, Some(0));
    assert_eq!(
        client.printed().replace('\t', " "),
        "of the door\ncache\nbound\n1\n10.0.0.7 db.example\nworkshop\n1\n\
         http://proxy.example:3128 http://proxy.example:3128\n",
        "{client}"
    );
    let listed = session.listed(&process).await;
    assert!(
        listed.step.contains("4/4] RUN --mount=type=cache"),
        "{listed:?}"
    );
    assert_eq!(listed.network, "none");
    for mount in [
        "cache /cache",
        "tmpfs /scratch",
        "secret /key",
        "bind /bound (read-only)",
    ] {
        assert!(listed.mounts.iter().any(|line| line == mount), "{listed:?}");
    }
    assert_eq!(listed.not_carried, notes);
    let told = |text: &str| assert!(notes.iter().any(|note| note.contains(text)), "{notes:?}");
    told("the limits of the step (nofile)");
    told("the size of the tmpfs /scratch");
    told("/cache is the real cache");
    session.close().await;
}

#[tokio::test]
async fn variables_with_secrets_are_those_of_the_step() {
    let session = Session::new(Context::busybox(""), &[("token", "hush")]).await;
    let result = session.build.solve(&[OFFLINE]).await.unwrap();
    let Some(gateway::result::Result::Ref(reference)) = result.result else {
        panic!("one platform: {result:?}");
    };
    // The built-in frontend of this engine cannot say it, so the step is put on by hand.
    let mut definition = reference.def.unwrap();
    let end = definition.def.pop().unwrap();
    let run = pb::Op {
        inputs: pb::Op::decode(end.as_slice()).unwrap().inputs,
        op: Some(pb::op::Op::Exec(pb::ExecOp {
            meta: Some(pb::Meta {
                args: ["/bin/sh", "-c", "exit 1"].map(str::to_owned).to_vec(),
                env: vec!["PATH=/bin".into()],
                cwd: "/".into(),
                ..Default::default()
            }),
            mounts: vec![pb::Mount {
                dest: "/".into(),
                ..Default::default()
            }],
            network: pb::NetMode::None as i32,
            secretenv: vec![pb::SecretEnv {
                id: "token".into(),
                name: "TOKEN".into(),
                optional: false,
            }],
            ..Default::default()
        })),
        ..Default::default()
    }
    .encode_to_vec();
    let hash = ring::digest::digest(&ring::digest::SHA256, &run);
    let digest: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let end = pb::Op {
        inputs: vec![pb::Input {
            digest: format!("sha256:{digest}"),
            index: 0,
        }],
        ..Default::default()
    };
    definition.def.extend([run, end.encode_to_vec()]);
    let target = Target::Definition(definition);
    let error = decode(&session.build.gateway.solve(target, true).await.unwrap_err());
    let inside = Inside::Failed {
        exec: error.exec.unwrap(),
        definition: None,
        vertex: String::new(),
    };
    let gateway = session.build.gateway.clone();
    session.open(OpenState { gateway, inside }).await;
    assert_eq!(session.run("echo $TOKEN").await.0, "hush\n");
    session.close().await;
}

#[tokio::test]
async fn a_failed_copy_gives_the_state_before_it() {
    let session = Session::failed(
        "WORKDIR /app\nUSER 1000:1000\nENV A=b\nRUN echo UNIQUE >/tmp/x || echo UNIQUE >/app/x || true\nCOPY nothing /here\n",
    )
    .await;
    let (process, notes) = session
        .exec(plain(&["sh", "-c", "pwd; id -u; echo $A; ls /bin/busybox"]))
        .await;
    let mut client = session.attach(&process).await;
    client.exited().await;
    assert_eq!(
        client.printed(),
        "/app\n1000\nb\n/bin/busybox\n",
        "{client}"
    );
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the state before it")),
        "{notes:?}"
    );
    let listed = session.listed(&process).await;
    assert_eq!(listed.state(), State::Before);
    assert_eq!(listed.step, "[6/6] COPY nothing /here");
    assert_eq!(listed.not_carried, notes);
    session.close().await;
}

#[tokio::test]
async fn a_failed_copy_has_what_was_set_since_the_last_run() {
    let session = Session::failed(
        "ENV A=early\nRUN <<EOF\necho UNIQUE\n: USER 9\nUSER=8\nEOF\nUSER 1000:1000\nENV A=late B=\"$A\"\n\
         ARG C=c\nENV D=$C\nWORKDIR /app\nWORKDIR in\nCOPY nothing /here\n",
    )
    .await;
    let (process, notes) = session
        .exec(plain(&["sh", "-c", "pwd; id -u; echo $A $B $D"]))
        .await;
    let mut client = session.attach(&process).await;
    client.exited().await;
    assert_eq!(client.printed(), "/app/in\n1000\nlate early\n", "{client}");
    let told = |text: &str| assert!(notes.iter().any(|note| note.contains(text)), "{notes:?}");
    told("those of the last RUN before it, with what its stage has set since");
    told("not carried over: the ENV in line ");
    session.close().await;
}

#[tokio::test]
async fn a_failed_copy_without_a_run_has_what_its_stage_sets() {
    let session =
        Session::failed("ENV A=UNIQUE\nUSER 5\nWORKDIR /srv\nWORKDIR /\nCOPY nothing /here\n")
            .await;
    let (printed, _) = session.run("pwd; id -u; echo ${#A}").await;
    assert_eq!(printed, "/\n5\n25\n");
    session.close().await;
}

#[tokio::test]
async fn a_failed_copy_is_in_the_last_directory_of_its_stage() {
    for (workdirs, directory) in [
        ("WORKDIR /\nWORKDIR /srv\n", "/srv\n"),
        ("WORKDIR /srv\nWORKDIR ..\n", "/\n"),
        ("WORKDIR /srv\nRUN true\nWORKDIR /\nENV A=$B\n", "/\n"),
    ] {
        let steps = format!("ENV A=UNIQUE\n{workdirs}COPY nothing /here\n");
        let session = Session::failed(&steps).await;
        let (printed, _) = session.run("pwd").await;
        assert_eq!(printed, directory, "{workdirs}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_run_that_failed_before_it_ran_gives_the_state_before_it() {
    let session = Session::failed(
        "RUN --mount=type=bind,from=scratch,source=/nothing,target=/bound echo UNIQUE\n",
    )
    .await;
    let (process, notes) = session.exec(plain(&["ls", "/bin/busybox"])).await;
    let mut client = session.attach(&process).await;
    assert_eq!(client.exited().await.exit_code, Some(0), "{client}");
    assert!(
        notes.iter().any(|note| note.contains("the mount /bound")),
        "{notes:?}"
    );
    session.close().await;
}

#[tokio::test]
async fn a_copy_into_nothing_has_no_state() {
    let context = Context::dockerfile("FROM scratch\nCOPY nothing /here\n");
    let session = Session::new(context, &[]).await;
    let state = session.build.failed(&[OFFLINE]).await;
    session.open(state).await;
    let status = session.processes.exec(plain(&[])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("empty file system"), "{status}");
    session.close().await;
}

#[tokio::test]
async fn a_result_has_the_settings_of_its_image_but_not_its_entrypoint() {
    let session = Session::result(
        "WORKDIR /srv\nENV A=b\nUSER 5:6\nENTRYPOINT [\"false\"]\nCMD [\"false\"]\n",
    )
    .await;
    let (process, notes) = session
        .exec(plain(&["sh", "-c", "pwd; id -u; echo $A"]))
        .await;
    let mut client = session.attach(&process).await;
    client.exited().await;
    assert_eq!(client.printed(), "/srv\n5\nb\n", "{client}");
    // The test engine has no bridge, and the process is started nevertheless.
    assert!(
        notes.iter().any(|note| note.starts_with("no network")),
        "{notes:?}"
    );
    let listed = session.listed(&process).await;
    assert_eq!((&*listed.step, &*listed.network), ("", "none"));
    assert_eq!(listed.not_carried, notes);
    let request = ExecRequest {
        entrypoint: vec!["echo".into(), "got".into()],
        ..plain(&["x"])
    };
    assert_eq!(session.run_as(request).await.0, "got x\n");
    session.close().await;
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_refused_with_those_that_are() {
    let context = Context::busybox("");
    let session = Session::new(context, &[]).await;
    let options = [
        OFFLINE,
        ("platform", "linux/amd64"),
        ("multi-platform", "true"),
    ];
    let state = session.build.result(&options).await;
    session.open(state).await;
    let request = |platform: &str| ExecRequest {
        platform: platform.into(),
        ..plain(&["uname", "-m"])
    };
    let status = session.processes.exec(request("linux/s390x")).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("linux/amd64"), "{status}");
    assert_eq!(session.run_as(request("linux/amd64")).await.0, "x86_64\n");
    session.close().await;
}

#[tokio::test]
async fn a_user_that_is_not_there_is_refused_and_harms_nobody() {
    let session = Session::failed(
        "RUN echo 'joe:x:77:78::/:/bin/sh' >/etc/passwd; touch /etc/group; exit UNIQUE 1\n"
            .replace("exit UNIQUE", "echo UNIQUE; exit")
            .as_str(),
    )
    .await;
    let (sleeper, _) = session.exec(plain(&["sleep", "1000"])).await;
    let request = |user: &str| ExecRequest {
        user: Some(user.into()),
        ..plain(&["sh", "-c", "id -u; id -g"])
    };
    for user in ["nobody-here", "joe:nothing", "a b", "-"] {
        let status = session.processes.exec(request(user)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{user}");
        assert!(status.message().contains("no user"), "{status}");
    }
    let request_in = ExecRequest {
        directory: Some("/etc/passwd".into()),
        ..plain(&["true"])
    };
    let status = session.processes.exec(request_in).await.unwrap_err();
    assert!(status.message().contains("is no directory"), "{status}");
    assert_eq!(session.run_as(request("joe")).await.0, "77\n78\n");
    assert_eq!(session.run_as(request("12")).await.0, "12\n0\n");
    assert_eq!(session.listed(&sleeper).await.ended, 0);
    session.close().await;
}

#[tokio::test]
async fn a_number_is_a_user_even_without_a_list_of_users() {
    // The engine itself fails such a step: "unable to find user 7".
    let session = Session::failed("USER 7\nRUN echo UNIQUE\n").await;
    let (printed, code) = session.run("id -u; id -g").await;
    assert_eq!((printed.as_str(), code), ("7\n0\n", Some(0)));
    session.close().await;
}

#[tokio::test]
async fn a_step_whose_user_is_not_there_is_entered_as_root() {
    let session = Session::failed("USER nobody-here\nRUN echo UNIQUE\n").await;
    let (process, notes) = session.exec(plain(&["id", "-u"])).await;
    let mut client = session.attach(&process).await;
    client.exited().await;
    assert_eq!(client.printed(), "0\n");
    assert!(
        notes.iter().any(|note| note.contains("runs as root")),
        "{notes:?}"
    );
    assert_eq!(session.listed(&process).await.not_carried, notes);
    session.close().await;
}
