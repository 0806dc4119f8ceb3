use std::process::Command;

use tokio::io::duplex;

use super::*;

fn env(socket: Option<&Path>) -> Env {
    socket
        .map(|path| ("SSH_AUTH_SOCK", path.to_str().unwrap()))
        .into_iter()
        .collect()
}

/// A new key in `dir`; the private file.
fn keygen(dir: &Path, kind: &str, passphrase: &str) -> PathBuf {
    let file = dir.join(format!("id_{kind}{}", passphrase.len()));
    let mut command = Command::new("ssh-keygen");
    command.args([
        "-q",
        "-t",
        kind,
        "-N",
        passphrase,
        "-C",
        "made for a test",
        "-f",
    ]);
    let status = command
        .arg(&file)
        .status()
        .expect("ssh-keygen: run scripts/setup --tests");
    assert!(status.success());
    file
}

#[test]
fn sources_are_agents_or_files() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("agent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::fs::write(dir.path().join("key"), "x").unwrap();
    let parse = |text: &str, env: &Env| parse(text, dir.path(), env);

    let agent = SshSource::Agent(socket.clone());
    let with = env(Some(&socket));
    assert_eq!(
        parse("default", &with),
        Ok(("default".into(), agent.clone()))
    );
    assert_eq!(parse("", &with), Ok(("default".into(), agent.clone())));
    assert_eq!(parse("x=agent", &env(None)), Ok(("x".into(), agent)));
    let keys = SshSource::Keys(vec![dir.path().join("key"), dir.path().join("key")]);
    assert_eq!(parse("x=key,key", &env(None)), Ok(("x".into(), keys)));

    let error = parse("default", &env(None)).unwrap_err();
    assert!(error.contains("make sure SSH_AUTH_SOCK is set"), "{error}");
    let error = parse("x=/nope", &with).unwrap_err();
    assert!(
        error.contains("/nope") && error.contains("No such file"),
        "{error}"
    );
    let error = parse("x=agent,key", &with).unwrap_err();
    assert!(error.contains("not both"), "{error}");
}

#[test]
fn keys_that_cannot_be_used_are_named_with_what_helps() {
    let dir = tempfile::tempdir().unwrap();
    let locked = keygen(dir.path(), "ed25519", "secret");
    let junk = dir.path().join("junk");
    std::fs::write(&junk, "no key").unwrap();
    for (file, want) in [(locked, "ssh-add"), (junk, "ssh-keygen -p")] {
        let source = SshSource::Keys(vec![file.clone()]);
        let error = SshAgents::new(vec![("x".into(), source)]).unwrap_err();
        assert!(
            error.contains(want) && error.contains(file.to_str().unwrap()),
            "{error}"
        );
    }
}

/// OpenSSH itself lists the keys, signs with them, and verifies what was signed.
#[tokio::test(flavor = "multi_thread")]
async fn openssh_signs_with_served_keys() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = [
        "ed25519",
        "rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    ]
    .iter()
    .map(|kind| keygen(dir.path(), kind, ""))
    .collect();
    let keys = Arc::new(Keys::read(&files).unwrap());
    let socket = dir.path().join("served");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.serve(stream).await });
        }
    });
    let path = dir.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let listed = Command::new("ssh-add")
            .arg("-l")
            .env("SSH_AUTH_SOCK", &socket)
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.lines().count(), files.len(), "{listed}");
        assert!(listed.contains("made for a test"), "{listed}");
        std::fs::write(path.join("message"), "to be signed").unwrap();
        for file in &files {
            let public = file.with_extension("pub");
            let signed = Command::new("ssh-keygen")
                .args(["-q", "-Y", "sign", "-n", "test", "-f"])
                .arg(&public)
                .arg(path.join("message"))
                .env("SSH_AUTH_SOCK", &socket)
                .status()
                .unwrap();
            assert!(signed.success(), "{}", file.display());
            let signature = path.join("message.sig");
            let verified = Command::new("ssh-keygen")
                .args(["-q", "-Y", "check-novalidate", "-n", "test", "-s"])
                .arg(&signature)
                .stdin(std::fs::File::open(path.join("message")).unwrap())
                .status()
                .unwrap();
            assert!(verified.success(), "{}", file.display());
            std::fs::remove_file(signature).unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn only_listing_and_signing_is_done() {
    let keys = Keys::read(&[]).unwrap();
    let (mut near, far) = duplex(1024);
    let served = tokio::spawn(async move { keys.serve(far).await });
    // Adding an identity, an empty request, a signature by an unknown key.
    for request in [
        &[17u8, 0, 0][..],
        &[],
        &[13, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 4],
    ] {
        near.write_u32(request.len() as u32).await.unwrap();
        near.write_all(request).await.unwrap();
        assert_eq!(near.read_u32().await.unwrap(), 1);
        assert_eq!(near.read_u8().await.unwrap(), 5);
    }
    near.write_u32(u32::MAX).await.unwrap();
    assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    served.await.unwrap();
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_last_answer_gets_through() {
    let (agent, mut other) = duplex(64);
    let (to, from) = mpsc::channel(4);
    let (outgoing, mut answers) = mpsc::channel(4);
    let copied = tokio::spawn(copy(agent, ReceiverStream::new(from), outgoing));
    let message = |data: &[u8]| {
        Ok(BytesMessage {
            data: data.to_vec(),
        })
    };
    to.send(message(b"ask")).await.unwrap();
    drop(to);
    let mut asked = String::new();
    other.read_to_string(&mut asked).await.unwrap();
    assert_eq!(asked, "ask");
    other.write_all(b"answer").await.unwrap();
    drop(other);
    assert_eq!(answers.recv().await.unwrap().unwrap().data, b"answer");
    assert!(answers.recv().await.is_none());
    copied.await.unwrap();
}

#[tokio::test]
async fn the_default_agent_has_no_name_on_the_wire() {
    let keys = SshSource::Keys(Vec::new());
    let agents = SshAgents::new(vec![("default".into(), keys)]).unwrap();
    let check = |id: &str| {
        let id = id.to_owned();
        agents.check_agent(Request::new(CheckAgentRequest { id }))
    };
    assert!(check("").await.is_ok());
    assert!(check("default").await.is_ok());
    let error = check("other").await.unwrap_err();
    assert!(error.message().contains("--ssh other"), "{error}");
}
