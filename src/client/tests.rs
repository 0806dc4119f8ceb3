use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::proto::controller::{InfoRequest, SessionRequest};
use crate::server::Settings;
use crate::server::life::Life;

fn server(dir: &Path, life: &Life) -> Arc<Server> {
    Server::new(Settings {
        sessions: dir.join("sessions"),
        root: PathBuf::new(),
        log: PathBuf::new(),
        disk_budget: 1 << 20,
        keep: Duration::from_secs(1),
        scrollback: 10,
        yield_to_others: true,
        in_process: true,
        life: life.clone(),
        says: crate::server::life::log::Log::silent(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_server_in_this_process_answers_the_same_calls() {
    let dir = tempfile::tempdir().unwrap();
    let life = Life::default();
    let client = in_process(server(dir.path(), &life)).await.unwrap();
    assert!(client.info.in_process);
    assert_eq!(client.info.pid, std::process::id());
    assert_eq!(client.info.clients, 1);
    assert!(client.info.memory > 0);
    assert!(!client.knows("flying"));
    let mut api = client.api.clone();
    api.info(InfoRequest {}).await.unwrap();
    assert!(api.inspect(SessionRequest::default()).await.is_err());
    assert_eq!(life.clients(), 1);

    // The connection ends with its last handle.
    drop(api);
    client.close().await;
    let mut peers = life.watch_peers();
    peers
        .wait_for(std::collections::BTreeMap::is_empty)
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_there_is_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(&Env::default(), Some(&dir.path().join("r")), None).unwrap();
    options.launch = false;
    let error = connect(&options, &mut |_| ()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Absent { .. }), "{error}");
    assert!(holder(&options.paths).unwrap().is_none());
}

#[tokio::test]
async fn a_program_that_is_no_server_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(&Env::default(), Some(&dir.path().join("r")), None).unwrap();
    options.program = "/bin/true".into();
    let mut said = Vec::new();
    let error = connect(&options, &mut |line| said.push(line.to_owned()))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(said, ["no buildx server found; launching..."]);
    assert!(error.contains("it died at once"), "{error}");
    assert!(error.contains("--server=off"), "{error}");
}
