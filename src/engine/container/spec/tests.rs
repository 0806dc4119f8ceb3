use super::*;

fn node(opts: &[(&str, &str)]) -> Spec {
    Spec {
        node: "b0".into(),
        driver_opts: opts
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
        ..Default::default()
    }
}

fn made(opts: &[(&str, &str)]) -> Result<ContainerCreateBody, String> {
    body(&node(opts)).map_err(|error| error.to_string())
}

#[test]
fn step_logs_are_unlimited_unless_the_user_limits_them() {
    let env = made(&[]).unwrap().env.unwrap();
    assert_eq!(
        env,
        [
            "BUILDKIT_STEP_LOG_MAX_SIZE=-1",
            "BUILDKIT_STEP_LOG_MAX_SPEED=-1"
        ]
    );
    let env = made(&[("env.BUILDKIT_STEP_LOG_MAX_SIZE", "9"), ("env.A", "b,c")]).unwrap();
    assert_eq!(
        env.env.unwrap(),
        [
            "A=b,c",
            "BUILDKIT_STEP_LOG_MAX_SIZE=9",
            "BUILDKIT_STEP_LOG_MAX_SPEED=-1"
        ]
    );
}

#[test]
fn options_reach_the_container() {
    let host = made(&[
        ("network", "host"),
        ("memory", "64m"),
        ("memory-swap", "-1"),
        ("cpu-shares", "7"),
        ("cpuset-cpus", "0-1"),
        ("restart-policy", "on-failure:3"),
    ])
    .unwrap()
    .host_config
    .unwrap();
    assert_eq!(host.network_mode.as_deref(), Some("host"));
    assert_eq!(host.memory, Some(64 << 20));
    assert_eq!(host.memory_swap, Some(-1));
    assert_eq!(host.cpu_shares, Some(7));
    assert_eq!(host.cpuset_cpus.as_deref(), Some("0-1"));
    let restart = host.restart_policy.unwrap();
    assert_eq!(restart.name, Some(RestartPolicyNameEnum::ON_FAILURE));
    assert_eq!(restart.maximum_retry_count, Some(3));
    assert_eq!(host.privileged, Some(true));
    let mount = &host.mounts.unwrap()[0];
    assert_eq!(mount.source.as_deref(), Some("buildx_buildkit_b0_state"));
}

#[test]
fn bad_options_are_named() {
    assert_eq!(
        made(&[("memory", "lots")]).unwrap_err(),
        "driver option memory=lots: must be a size such as 512m or 2g"
    );
    assert_eq!(
        made(&[("cpu-quota", "x")]).unwrap_err(),
        "driver option cpu-quota=x: must be a whole number"
    );
    assert!(made(&[("memory", "99999999999t")]).is_err());
    assert!(made(&[("restart-policy", "maybe")]).is_err());
}

#[test]
fn configuration_files_keep_to_their_directory() {
    let of = |name: &str| archive(&BTreeMap::from([(name.to_owned(), b"x".to_vec())]));
    let data = of("certs/r/ca.crt").unwrap().unwrap();
    let mut tar = tar::Archive::new(data.as_slice());
    let paths: Vec<_> = tar
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned())
        .collect();
    assert_eq!(paths, [std::path::Path::new("etc/buildkit/certs/r/ca.crt")]);
    assert!(of("../passwd").is_err());
    assert!(of("/etc/passwd").is_err());
    assert!(archive(&BTreeMap::new()).unwrap().is_none());
}
