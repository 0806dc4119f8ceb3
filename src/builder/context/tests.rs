use super::*;

fn setup(pairs: &[(&str, &str)]) -> (tempfile::TempDir, Env, Paths) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap().to_owned();
    let env: Env = pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .chain([("HOME".to_owned(), home)])
        .collect();
    let paths = Paths::new(&env);
    fs::create_dir_all(&paths.docker_config).unwrap();
    (dir, env, paths)
}

/// Writes a context as `docker context create` does; returns the directory of its TLS files.
fn context(paths: &Paths, name: &str, endpoint: &str) -> PathBuf {
    let id = hex(ring::digest::digest(&ring::digest::SHA256, name.as_bytes()).as_ref());
    let contexts = paths.docker_config.join("contexts");
    let meta = contexts.join("meta").join(&id);
    fs::create_dir_all(&meta).unwrap();
    let json =
        format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
    fs::write(meta.join("meta.json"), json).unwrap();
    let tls = contexts.join("tls").join(id).join("docker");
    fs::create_dir_all(&tls).unwrap();
    tls
}

fn unix_address(path: &str) -> Address {
    Address::Unix(path.into())
}

#[test]
fn nothing_said_means_the_default_socket() {
    let (_dir, env, paths) = setup(&[]);
    let host = current(&env, &paths).unwrap();
    assert_eq!(host.name, "default");
    assert_eq!(host.key, "unix:///var/run/docker.sock");
    assert_eq!(host.address, unix_address("/var/run/docker.sock"));
    assert!(!host.explicit);
}

#[test]
fn docker_host_comes_before_contexts() {
    let (_dir, env, paths) = setup(&[
        ("DOCKER_HOST", "unix:///tmp/d.sock"),
        ("DOCKER_CONTEXT", "nothing"),
    ]);
    let host = current(&env, &paths).unwrap();
    assert_eq!(host.name, "default");
    assert_eq!(host.key, "unix:///tmp/d.sock");
    assert_eq!(host.address, unix_address("/tmp/d.sock"));
    assert!(host.explicit);
}

#[test]
fn contexts_come_from_the_environment_then_the_configuration() {
    let (_dir, env, paths) = setup(&[]);
    context(&paths, "one", r#"{"Host":"unix:///one.sock"}"#);
    context(&paths, "two", r#"{"Host":"unix:///two.sock"}"#);
    fs::write(
        paths.docker_config.join("config.json"),
        r#"{"auths":{},"currentContext":"one"}"#,
    )
    .unwrap();
    let host = current(&env, &paths).unwrap();
    assert_eq!(
        (host.name.as_str(), host.key.as_str()),
        ("one", "one"),
        "buildx files the choice under the context's name"
    );
    assert_eq!(host.address, unix_address("/one.sock"));
    assert!(host.explicit);

    let env: Env = [("DOCKER_CONTEXT", "two")].into_iter().collect();
    let host = current(&env, &paths).unwrap();
    assert_eq!(host.address, unix_address("/two.sock"));

    let env: Env = [("DOCKER_CONTEXT", "default")].into_iter().collect();
    assert!(!current(&env, &paths).unwrap().explicit);
}

#[test]
fn a_missing_context_is_named() {
    let (_dir, _env, paths) = setup(&[]);
    let env: Env = [("DOCKER_CONTEXT", "gone")].into_iter().collect();
    assert_eq!(
        current(&env, &paths),
        Err(ContextError::Missing("gone".into()))
    );
}

#[test]
fn a_damaged_configuration_is_named() {
    let (_dir, env, paths) = setup(&[]);
    fs::write(paths.docker_config.join("config.json"), "{").unwrap();
    let error = current(&env, &paths).unwrap_err().to_string();
    assert!(error.contains(".docker/config.json: "), "{error}");
}

#[test]
fn contexts_bring_their_certificates() {
    let (_dir, env, paths) = setup(&[]);
    let dir = context(&paths, "tls", r#"{"Host":"tcp://h:2376"}"#);
    fs::write(dir.join("ca.pem"), "").unwrap();
    let Address::Tcp { tls: Some(tls), .. } = named(&env, &paths, "tls").unwrap().address else {
        panic!("no TLS");
    };
    assert_eq!(tls.cacert, Some(dir.join("ca.pem")));
    assert_eq!(tls.cert, None);
    assert!(!tls.skip_verify);

    context(
        &paths,
        "any",
        r#"{"Host":"tcp://h:1","SkipTLSVerify":true}"#,
    );
    let Address::Tcp { tls: Some(tls), .. } = named(&env, &paths, "any").unwrap().address else {
        panic!("no TLS");
    };
    assert!(tls.skip_verify);
}

#[test]
fn the_environment_brings_certificates() {
    let (dir, _env, paths) = setup(&[]);
    fs::write(dir.path().join("cert.pem"), "").unwrap();
    let env: Env = [
        ("DOCKER_HOST", "tcp://[::1]"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", dir.path().to_str().unwrap()),
    ]
    .into_iter()
    .collect();
    assert_eq!(
        current(&env, &paths).unwrap().address,
        Address::Tcp {
            host: "::1".into(),
            port: 2376,
            tls: Some(TlsFiles {
                cert: Some(dir.path().join("cert.pem")),
                ..TlsFiles::default()
            }),
        }
    );
}

#[test]
fn docker_urls() {
    let tcp = |host: &str, port| Address::Tcp {
        host: host.into(),
        port,
        tls: None,
    };
    let ssh = |args: &[&str]| Address::Ssh {
        args: ["-o", "ConnectTimeout=5"]
            .iter()
            .chain(args)
            .map(|arg| arg.to_string())
            .collect(),
    };
    let of = |url| docker_url(url, None).unwrap();
    assert_eq!(of("tcp://1.2.3.4:5"), tcp("1.2.3.4", 5));
    assert_eq!(of("tcp://host"), tcp("host", 2375));
    assert_eq!(of("tcp://[fe80::1]:9/"), tcp("fe80::1", 9));
    assert_eq!(of("ssh://u@h:22"), ssh(&["-l", "u", "-p", "22", "h"]));
    assert_eq!(of("ssh://h"), ssh(&["h"]));
    for bad in [
        "npipe:////./pipe/docker_engine",
        "fd://",
        "unix://",
        "tcp://h:99999",
        "tcp://h:0",
        "tcp://h/path",
        "ssh://-oProxyCommand=x",
        "ssh://-lx@h",
        "ssh://u:secret@h",
        "host:1",
        "",
    ] {
        let error = docker_url(bad, None).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn remote_urls() {
    let none = BTreeMap::new();
    let docker = || Ok(unix_address("/d.sock"));
    let of = |url, opts: &BTreeMap<String, String>| remote_url(url, opts, docker);
    assert_eq!(
        of("unix:///b.sock", &none).unwrap(),
        unix_address("/b.sock")
    );
    assert_eq!(
        of("docker-container://box", &none).unwrap(),
        Address::Container {
            docker: Box::new(unix_address("/d.sock")),
            name: "box".into(),
        }
    );
    let opts: BTreeMap<String, String> = [("cacert", "/ca"), ("servername", "bk")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    assert_eq!(
        of("tcp://h:1234", &opts).unwrap(),
        Address::Tcp {
            host: "h".into(),
            port: 1234,
            tls: Some(TlsFiles {
                cacert: Some("/ca".into()),
                servername: Some("bk".into()),
                ..TlsFiles::default()
            }),
        }
    );
    for bad in [
        "tcp://h",
        "docker-container://",
        "docker-container://a/../b",
        "kube-pod://x",
        "npipe://x",
        "http://h",
    ] {
        assert!(of(bad, &none).is_err(), "{bad}");
    }
}
