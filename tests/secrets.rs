//! What a caller has and lends to one build: secrets, ssh agents, registry logins.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::cmd::{Buildx, Output};
use crate::support::context::Context;
use crate::support::engine::{engine, graphdriver};
use crate::support::registry::Registry;

const VALUE: &str = "correct-horse-battery-staple";

fn build(context: &Context) -> Buildx {
    let args = ["build", "--network", "host", "--progress", "plain"];
    Buildx::on(engine(), args).arg(context.path())
}

fn exported(output: &Output, name: &str) -> String {
    let path = output.home.path().join("result").join(name);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}: {output}"))
}

#[test]
fn a_secret_reaches_its_step_and_nothing_else() {
    let steps = format!(
        "RUN --mount=type=secret,id=a --mount=type=secret,id=b,target=/b \
         sha256sum < /run/secrets/a > /sums && sha256sum < /b >> /sums; env; cat /proc/self/mountinfo\n\
         FROM scratch\nCOPY --from=0 /sums /\n# {}",
        buildx::engine::id::new_id().unwrap()
    );
    for progress in ["plain", "rawjson"] {
        let context = Context::busybox(&steps);
        let elsewhere = Context::new().file("secret", VALUE);
        let file = elsewhere.join("secret");
        let output = build(&context)
            .args(["--no-cache", "-D", "--progress", progress])
            .args(["--secret", "id=a,env=MY_TOKEN"])
            .args(["--secret", &format!("id=b,src={}", file.display())])
            .args(["--metadata-file", "metadata.json", "-o", "result"])
            .env("MY_TOKEN", VALUE)
            .env("BUILDX_METADATA_PROVENANCE", "max")
            .ok();
        let sums = exported(&output, "sums");
        let hash = ring::digest::digest(&ring::digest::SHA256, VALUE.as_bytes());
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(sums, format!("{hex}  -\n{hex}  -\n"));
        let metadata = std::fs::read_to_string(output.home.path().join("metadata.json")).unwrap();
        assert!(metadata.contains("buildx.build.provenance"), "{metadata}");
        for text in [output.out(), output.err(), metadata] {
            assert!(!text.contains(VALUE), "{text}");
        }
    }
}

/// The server is another process, with a standard input of its own.
#[test]
fn a_secret_may_come_from_a_file_of_the_callers_process() {
    let context = Context::busybox(&format!(
        "RUN --mount=type=secret,id=a test \"$(cat /run/secrets/a)\" = {VALUE}\n"
    ));
    build(&context)
        .args(["--no-cache", "--secret", "id=a,src=/dev/stdin"])
        .stdin(VALUE)
        .ok();
}

#[test]
fn a_missing_secret_fails_only_the_step_that_insists() {
    let step = |required: bool| {
        Context::busybox(&format!(
            "RUN --mount=type=secret,id=absent,required={required} test ! -e /run/secrets/absent\n"
        ))
    };
    build(&step(false)).ok();
    let output = build(&step(true)).fails(1);
    let line = output.error_line();
    assert!(line.contains("absent: not found"), "{output}");
    let output = build(&step(true))
        .args(["--secret", "id=absent,env=NOT_SET"])
        .fails(1);
    assert!(
        output.error_line().contains("absent: not found"),
        "{output}"
    );
    let output = build(&step(true)).args(["--secret", "foo=bar"]).fails(1);
    assert_eq!(
        output.error_line(),
        "ERROR: failed to build: unexpected key 'foo' in 'foo=bar'"
    );
}

/// An ssh-agent of this test; stopped when dropped.
struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(dir: &Path) -> Self {
        let socket = dir.join("agent.sock");
        let mut process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-agent: run scripts/setup --tests");
        // It prints where it listens once it does.
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        assert!(line.contains("SSH_AUTH_SOCK"), "{line}");
        Self { process, socket }
    }

    fn add(&self, key: &Path) {
        let status = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keygen(dir: &Path, kind: &str) -> PathBuf {
    let file = dir.join(format!("id_{kind}"));
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "of-this-test", "-f"])
        .arg(&file)
        .status();
    assert!(status.unwrap().success());
    file
}

/// A context with this machine's `ssh-add` and the libraries that it needs; the step lists the
/// public keys of the agent into `keys`.
fn lists_keys(mount: &str) -> Context {
    let mut context = Context::busybox(&format!(
        "COPY system /\nRUN --mount=type=ssh{mount} /usr/bin/ssh-add -L > /keys\n\
         FROM scratch\nCOPY --from=0 /keys /\n"
    ));
    let ldd = Command::new("ldd")
        .arg("/usr/bin/ssh-add")
        .output()
        .unwrap();
    let libraries = String::from_utf8(ldd.stdout).unwrap();
    let files = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .chain(["/usr/bin/ssh-add"]);
    for file in files {
        let name = format!("system{file}");
        context = context
            .file(&name, std::fs::read(file).unwrap())
            .mode(&name, 0o755);
    }
    context
}

#[test]
fn a_step_talks_to_the_callers_agent_and_to_key_files() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path());
    let key = keygen(dir.path(), "ed25519");
    agent.add(&key);
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();

    let output = build(&lists_keys(",required=true"))
        .args(["--no-cache", "-o", "result", "--ssh", "default"])
        .env("SSH_AUTH_SOCK", &agent.socket)
        .ok();
    assert_eq!(exported(&output, "keys"), public);

    let ssh = format!("mine={}", key.display());
    let output = build(&lists_keys(",id=mine,required=true"))
        .args(["--no-cache", "-o", "result", "--ssh", &ssh])
        .ok();
    assert_eq!(exported(&output, "keys"), public);
}

#[test]
fn an_agent_that_is_not_lent_is_not_there() {
    let context = Context::busybox(
        "RUN --mount=type=ssh test -z \"$SSH_AUTH_SOCK\" || test ! -e \"$SSH_AUTH_SOCK\"\n",
    );
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path());
    // In the environment, but not lent with --ssh.
    build(&context).env("SSH_AUTH_SOCK", &agent.socket).ok();
    let output = build(&lists_keys(",required=true,mode=0600"))
        .arg("--no-cache")
        .env("SSH_AUTH_SOCK", &agent.socket)
        .fails(1);
    output.error_line();
    let output = build(&context).args(["--ssh", "default"]).fails(1);
    assert!(
        output
            .error_line()
            .contains("make sure SSH_AUTH_SOCK is set"),
        "{output}"
    );
}

/// `user` with the password `pass word`, by bcrypt.
const HTPASSWD: &str = "user:$2y$05$agWyCfTafXo57eibk1M34eSZPZg256m7g/FTq42wgZ9lk96Wl8T66";

fn log_in(run: &Buildx, registry: &Registry, password: &str) {
    let auth = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("user:{password}"),
    );
    let config = serde_json::json!({"auths": {registry.host(): {"auth": auth}}});
    std::fs::write(run.docker_config().join("config.json"), config.to_string()).unwrap();
}

#[test]
fn a_registry_that_asks_for_a_password_gets_the_callers() {
    let registry = Registry::with_htpasswd(HTPASSWD);
    let context = Context::dockerfile("FROM scratch\nCOPY file /\n").file("file", "x");
    for docker in [engine(), graphdriver()] {
        let image = format!("{}/private:latest", registry.host());
        let push = || Buildx::on(docker, ["build", "--push", "-t", &image]).arg(context.path());
        let run = push();
        log_in(&run, &registry, "pass word");
        run.ok();

        let run = push();
        log_in(&run, &registry, "wrong");
        let output = run.fails(1);
        let line = output.error_line();
        assert!(
            line.contains("401")
                || line.contains("unauthorized")
                || line.contains("no basic auth")
                || line.contains("authorization failed"),
            "{output}"
        );
        assert!(!output.err().contains("wrong"), "{output}");
        push().fails(1).error_line();
    }
    // Pulled back through BuildKit's own resolver, with the login and without.
    let image = format!("{}/private:latest", registry.host());
    let from = Context::dockerfile(format!("FROM {image}\n"));
    let pull =
        || Buildx::on(engine(), ["build", "--pull", "--no-cache", "-o", "result"]).arg(from.path());
    let run = pull();
    log_in(&run, &registry, "pass word");
    assert_eq!(exported(&run.ok(), "file"), "x");
    pull().fails(1).error_line();
}
