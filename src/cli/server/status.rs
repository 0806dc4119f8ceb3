//! `buildx server status`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::Format;
use crate::client::{self, ConnectError, Options};
use crate::progress::units;
use crate::proto::controller::InfoResponse;
use crate::term::escape;

/// The keys of `--format json`. Sizes are bytes, times are milliseconds since 1970, spans are
/// milliseconds.
#[derive(Debug, Serialize)]
struct Status {
    running: bool,
    socket: String,
    log: String,
    #[serde(flatten)]
    server: Option<Running>,
}

#[derive(Debug, Serialize)]
struct Running {
    version: String,
    protocol: u32,
    features: Vec<String>,
    pid: u32,
    started: i64,
    uptime: u64,
    draining: bool,
    sessions: u32,
    builds: u32,
    /// This command included.
    clients: u32,
    processes: u32,
    memory: u64,
    disk: u64,
    disk_budget: u64,
}

/// Prints how the server is; exit code 1 when none runs.
///
/// # Errors
/// There is something, but no server that answers.
pub async fn run(options: Options, format: Format) -> anyhow::Result<ExitCode> {
    let options = Options {
        launch: false,
        ..options
    };
    let mut warnings = Vec::new();
    let found = client::connect(&options, &mut |line| warnings.push(line.to_owned())).await;
    let status = match found {
        Ok(client) => Status::of(&client.info, &options),
        Err(ConnectError::Absent { socket }) => Status {
            running: false,
            socket: socket.display().to_string(),
            log: options.log().display().to_string(),
            server: None,
        },
        Err(error) => return Err(error.into()),
    };
    for warning in warnings {
        super::note(&warning);
    }
    let text = match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&status)?),
        Format::Table => status.table(),
    };
    super::say(&text)?;
    Ok(ExitCode::from(u8::from(!status.running)))
}

impl Status {
    fn of(info: &InfoResponse, options: &Options) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis());
        let started = u128::try_from(info.started).unwrap_or(0);
        let socket = options.paths.socket();
        let socket = match socket.file_name() {
            Some(name) if !info.root.is_empty() => std::path::Path::new(&info.root).join(name),
            _ => socket,
        };
        let line = |text: &str| escape::line(text).into_owned();
        Self {
            running: true,
            socket: line(&socket.display().to_string()),
            log: line(&info.log),
            server: Some(Running {
                version: line(&info.version),
                protocol: info.protocol,
                features: info.features.iter().map(|name| line(name)).collect(),
                pid: info.pid,
                started: info.started,
                uptime: u64::try_from(now.saturating_sub(started)).unwrap_or(0),
                draining: info.draining,
                sessions: info.sessions,
                builds: info.builds,
                clients: info.clients,
                processes: info.processes,
                memory: info.memory,
                disk: info.disk,
                disk_budget: info.disk_budget,
            }),
        }
    }

    fn table(&self) -> String {
        let Some(server) = &self.server else {
            return format!(
                "The buildx server does not run.\nSocket:     {}\nLog:        {}\n",
                self.socket, self.log
            );
        };
        let state = if server.draining {
            "draining: takes no new builds, ends when nobody needs it"
        } else {
            "running"
        };
        let size = |bytes: u64| units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
        let uptime = Duration::from_secs(server.uptime / 1000);
        let log = match self.log.as_str() {
            "" => "(standard error of the server)",
            log => log,
        };
        let rows = [
            ("State", state.to_owned()),
            (
                "Version",
                format!("{} (protocol {})", server.version, server.protocol),
            ),
            ("Pid", server.pid.to_string()),
            ("Uptime", humantime::format_duration(uptime).to_string()),
            (
                "Sessions",
                format!("{} ({} building)", server.sessions, server.builds),
            ),
            (
                "Clients",
                format!("{} (this command included)", server.clients),
            ),
            ("Shells", server.processes.to_string()),
            ("Memory", size(server.memory)),
            (
                "Disk",
                format!("{} of {}", size(server.disk), size(server.disk_budget)),
            ),
            ("Socket", self.socket.clone()),
            ("Log", log.to_owned()),
        ];
        rows.iter()
            .map(|(name, value)| format!("{:<12}{value}\n", format!("{name}:")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Env;

    #[test]
    fn the_table_shows_what_a_server_is_and_needs() {
        let options =
            Options::new(&Env::default(), Some(std::path::Path::new("/r")), None).unwrap();
        let info = InfoResponse {
            version: "0.1.0\x1b[2J".into(),
            protocol: 1,
            pid: 7,
            sessions: 3,
            builds: 1,
            clients: 2,
            processes: 4,
            memory: 12_000_000,
            disk: 1_000,
            disk_budget: 2 << 30,
            root: "/r".into(),
            log: "/r/server.log".into(),
            ..InfoResponse::default()
        };
        let table = Status::of(&info, &options).table();
        for line in [
            "State:      running\n",
            "Version:    0.1.0^[[2J (protocol 1)\n",
            "Pid:        7\n",
            "Sessions:   3 (1 building)\n",
            "Clients:    2 (this command included)\n",
            "Shells:     4\n",
            "Memory:     12.00MB\n",
            "Disk:       1.00kB of 2.15GB\n",
            "Socket:     /r/v1.sock\n",
            "Log:        /r/server.log\n",
        ] {
            assert!(table.contains(line), "{line:?} is not in {table}");
        }
    }
}
