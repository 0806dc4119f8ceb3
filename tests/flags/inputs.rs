//! Where context, Dockerfile and named contexts come from.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{bare, build, printed_in, unpacked};
use crate::support::context::Context;
use crate::support::registry::free_port;

fn copy(file: &str) -> String {
    format!("FROM scratch\nCOPY {file} /out\n")
}

/// The context as an archive.
fn archive(context: &Context) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", context.path()).unwrap();
    builder.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// The file `out` of what stdin and `args` give.
fn from_stdin(stdin: Vec<u8>, args: &[&str]) -> String {
    let output = bare(args.iter().copied())
        .args(["-o", "-"])
        .stdin(stdin)
        .ok();
    String::from_utf8_lossy(&unpacked(&output.stdout)["out"]).into_owned()
}

#[test]
fn file_flag() {
    let context = Context::dockerfile(copy("a"))
        .file("a", "A")
        .file("b", "B")
        .file("sub/Other", copy("b"));
    let other = context.join("sub/Other");
    assert_eq!(printed_in(&context, []), "A");
    assert_eq!(printed_in(&context, ["-f", other.to_str().unwrap()]), "B");
    let output = build(&context, ["-f", "-", "-o", "-"])
        .stdin(copy("b"))
        .ok();
    assert_eq!(unpacked(&output.stdout)["out"], b"B");
    let output = bare(["-f", "sub/Other", "-o", "-", "."])
        .current_dir(context.path())
        .ok();
    assert_eq!(unpacked(&output.stdout)["out"], b"B");
}

#[test]
fn dockerfile_in_lower_case() {
    let context = Context::new().file("dockerfile", copy("a")).file("a", "A");
    assert_eq!(printed_in(&context, []), "A");
}

#[test]
fn dockerfile_outside_of_the_context_with_its_own_ignore_file() {
    let context = Context::new().file("a", "A").file("b", "B");
    let files = Context::new()
        .file("D", "FROM scratch\nCOPY . /\n")
        .file("D.dockerignore", "b\n");
    let file = files.join("D");
    let output = build(&context, ["-f", file.to_str().unwrap(), "-o", "-"]).ok();
    assert_eq!(
        unpacked(&output.stdout).into_keys().collect::<Vec<_>>(),
        ["a"]
    );
}

#[test]
fn archive_on_stdin() {
    let context = Context::dockerfile(copy("a"))
        .file("a", "A")
        .file("b", "B")
        .file("sub/Other", copy("b"));
    let bytes = archive(&context);
    assert_eq!(from_stdin(bytes.clone(), &["-"]), "A");
    assert_eq!(from_stdin(gzipped(&bytes), &["-"]), "A");
    assert_eq!(from_stdin(bytes, &["-f", "sub/Other", "-"]), "B");
}

#[test]
fn dockerfile_on_stdin() {
    let text = "FROM scratch\nCOPY <<EOF /out\nhello\nEOF\n";
    assert_eq!(from_stdin(text.into(), &["-"]), "hello\n");
    let error = bare(["-"]).fails(1).error_line();
    assert!(
        error.ends_with("failed to read dockerfile from stdin: it is empty"),
        "{error}"
    );
}

/// Serves one body for every request.
fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&buffer[..n]),
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            if !request.starts_with(b"HEAD") {
                let _ = stream.write_all(&body);
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn archive_from_a_url() {
    let context = Context::dockerfile(copy("a")).file("a", "A");
    let url = format!("{}/context.tar", serve(archive(&context)));
    assert_eq!(from_stdin(Vec::new(), &[&url]), "A");
}

#[test]
fn dockerfile_from_a_url() {
    let context = Context::dockerfile(copy("a")).file("a", "A").file("b", "B");
    let url = format!("{}/Dockerfile", serve(copy("b").into_bytes()));
    assert_eq!(printed_in(&context, ["-f", &url]), "B");
}

struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn git_url() {
    let context = Context::dockerfile(copy("a"))
        .file("a", "A")
        .file("sub/Dockerfile", copy("b"))
        .file("sub/b", "B");
    let git = |args: &[&str]| {
        let done = Command::new("git")
            .current_dir(context.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    let port = free_port();
    // `git daemon` itself would start the program and leave it behind.
    let programs = git(&["--exec-path"]);
    let mut daemon = Command::new(format!("{programs}/git-daemon"))
        .args([
            "--reuseaddr",
            "--export-all",
            "--verbose",
            "--listen=127.0.0.1",
        ])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={}", context.path().display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says when it is ready.
    let mut said = Vec::new();
    let mut byte = [0];
    let stderr = daemon.stderr.as_mut().unwrap();
    while !String::from_utf8_lossy(&said).contains("Ready to rumble") {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "git daemon ended");
        said.push(byte[0]);
    }
    let _daemon = Daemon(daemon);
    let url = format!("git://127.0.0.1:{port}/.git");
    assert_eq!(from_stdin(Vec::new(), &[&url]), "A");
    assert_eq!(from_stdin(Vec::new(), &[&format!("{url}#main:sub")]), "B");
    assert_eq!(from_stdin(copy("sub/b").into(), &["-f", "-", &url]), "B");
}

#[test]
fn build_context() {
    let more = Context::new().file("m", "M");
    let context = Context::dockerfile("FROM scratch\nCOPY --from=more m /out\n");
    let named = format!("more={}", more.path().display());
    assert_eq!(printed_in(&context, ["--build-context", &named]), "M");
    let error = build(&context, ["--build-context", "more=nope"])
        .fails(1)
        .error_line();
    assert!(
        error.ends_with("failed to get build context more: stat nope: no such file or directory"),
        "{error}"
    );
}

#[test]
fn build_context_replaces_the_context_of_that_name() {
    let more = Context::new().file("a", "other");
    let context = Context::dockerfile("FROM scratch\nCOPY --from=context a /out\n").file("a", "A");
    let named = format!("context={}", more.path().display());
    assert_eq!(printed_in(&context, ["--build-context", &named]), "other");
}

#[test]
fn build_context_from_a_layout() {
    let base = Context::dockerfile(copy("a")).file("a", "of the layout");
    let out = Context::new();
    let dest = out.join("layout");
    build(
        &base,
        [
            "-t",
            "base:v1",
            "-o",
            &format!("type=oci,tar=false,dest={}", dest.display()),
        ],
    )
    .ok();
    let context = Context::dockerfile("FROM base\n");
    for tag in ["", ":v1"] {
        let named = format!("base=oci-layout://{}{tag}", dest.display());
        assert_eq!(
            printed_in(&context, ["--build-context", &named]),
            "of the layout"
        );
    }
}

#[test]
fn vcs_of_the_context_is_in_the_provenance() {
    let context = Context::dockerfile(copy("a")).file("a", "A");
    let git = |args: &[&str]| {
        let done = Command::new("git")
            .current_dir(context.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    let revision = git(&["rev-parse", "HEAD"]);
    let layout = super::Layout::built(&context, ["--provenance", "mode=max"]);
    let attestation = layout.blob(&layout.manifests()[1]);
    let statement = layout.blob(&attestation["layers"][0]).to_string();
    assert!(statement.contains(&revision), "{statement}");
}
