//! Measures how long logs of 1 GiB take that a server finds on disk, without any engine. For `scripts/bench`, which
//! makes a table of what this prints:
//!
//!     logs BUILDX DIRECTORY RUNS [SHAPE…]
//!
//! Each value is a line of JSON on standard output, as those of `benches/server.rs`. Shapes of logs: `plain` text in
//! messages as a flood makes them, the same `coloured`, and `short` messages of a line each.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use buildx::client::{self, Client, Options};
use buildx::paths::Env;
use buildx::progress::time::stamp;
use buildx::proto::control::{StatusResponse, Vertex, VertexLog};
use buildx::proto::controller::trace_event::Event;
use buildx::proto::controller::{
    Finished, LogPattern, LogRequest, Outcome, SearchLogRequest, TraceEvent, TraceRequest, outcome,
};
use buildx::server::journal::{Journal, write_meta};
use buildx::server::logs::Logs;
use buildx::server::session::record::{Last, Record, State};
use prost::Message;
use rustix::process::Signal;

#[path = "server/process.rs"]
mod process;

/// Bytes of a log.
const LONG: usize = 1 << 30;

/// The digest of the step.
const STEP: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What one line in a thousand has, and what none has.
const RARE: &str = "linking crate";
const NEVER: &str = "linking crates";

/// How lines look and in how large messages they come.
struct Shape {
    name: &'static str,
    message: usize,
    colours: bool,
    bytes: usize,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "plain",
        message: 32 << 10,
        colours: false,
        bytes: LONG,
    },
    Shape {
        name: "coloured",
        message: 32 << 10,
        colours: true,
        bytes: LONG,
    },
    Shape {
        name: "short",
        message: 1,
        colours: false,
        // What comes with each message makes a trace of 1 GiB of it.
        bytes: LONG / 4,
    },
];

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut next = |what| args.next().with_context(|| format!("{what} is missing"));
    let program = fs::canonicalize(next("BUILDX")?)?;
    let dir = PathBuf::from(next("DIRECTORY")?);
    let runs: usize = next("RUNS")?.parse()?;
    let wanted: Vec<String> = args.collect();
    let known = |name: &String| SHAPES.iter().any(|shape| shape.name == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("there is no shape {unknown:?}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    for shape in &SHAPES {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            eprintln!("bench: logs: {}", shape.name);
            let root = dir.join(format!("logs-{}", shape.name));
            let mut bench = Bench {
                shape,
                program: program.clone(),
                root: root.clone(),
            };
            let measured = bench.record().and_then(|()| {
                runtime.block_on(async {
                    bench.serve(runs).await?;
                    bench.restore().await
                })
            });
            fs::remove_dir_all(&root)?;
            measured?;
        }
    }
    Ok(())
}

struct Bench<'a> {
    shape: &'a Shape,
    program: PathBuf,
    root: PathBuf,
}

impl Bench<'_> {
    fn put(&self, what: &str, value: f64) {
        let what = format!("logs.{}.{what}", self.shape.name);
        println!(
            "{}",
            serde_json::json!({"what": what, "who": "ours", "value": value})
        );
    }

    fn session(&self) -> PathBuf {
        self.root.join("sessions").join("log")
    }

    /// Writes a finished session as a server does.
    fn record(&self) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(self.session())?;
        let (mut writer, trace) = Journal::create(&self.session().join("1.trace"))?;
        let (mut indexer, _) = Logs::create(&trace)?;
        let (mut bytes, mut indexing) = (0, Duration::ZERO);
        let mut lines = Lines::new(self.shape.colours);
        let mut put = |event| -> Result<()> {
            let event = Some(event);
            let records = [TraceEvent { time: 1, event }.encode_to_vec()];
            writer.append_batch(&records)?;
            let began = Instant::now();
            indexer.push(&records)?;
            indexing += began.elapsed();
            Ok(())
        };
        let mut vertex = Vertex {
            digest: STEP.into(),
            name: "RUN make".into(),
            started: Some(stamp(1)),
            ..Vertex::default()
        };
        put(status(vec![vertex.clone()], Vec::new()))?;
        while bytes < self.shape.bytes {
            let mut logs = Vec::new();
            while logs.len() < 64 && bytes < self.shape.bytes {
                let msg = lines.message(self.shape.message);
                bytes += msg.len();
                logs.push(VertexLog {
                    vertex: STEP.into(),
                    timestamp: Some(stamp(i64::try_from(bytes)?)),
                    stream: 1,
                    msg,
                });
                if logs.iter().map(|log| log.msg.len()).sum::<usize>() > 64 << 10 {
                    break;
                }
            }
            put(status(Vec::new(), logs))?;
        }
        vertex.completed = Some(stamp(2));
        put(status(vec![vertex], Vec::new()))?;
        put(Event::Outcome(Outcome {
            end: Some(outcome::End::Finished(Finished::default())),
            exit_code: 0,
        }))?;
        writer.finish()?;
        indexer.finish()?;
        let record = Record {
            name: "log".into(),
            build: 1,
            last: Last {
                state: State::Succeeded,
                ..Last::default()
            },
            ..Record::default()
        };
        write_meta(&self.session(), &record.encode())?;
        self.put(
            "index.speed",
            self.shape.bytes as f64 / indexing.as_secs_f64(),
        );
        let size = |name| fs::metadata(self.session().join(name)).map(|data| data.len());
        self.put("index.bytes", (size("1.places")? + size("1.quiet")?) as f64);
        Ok(())
    }

    async fn client(&self) -> Result<Client> {
        let home = self.root.display().to_string();
        let env: Env = [("PATH", "/usr/bin:/bin"), ("HOME", home.as_str())]
            .into_iter()
            .collect();
        let mut options = Options::new(&env, Some(&self.root), None)?;
        options.program.clone_from(&self.program);
        Ok(client::connect(&options, &mut |_: &str| ()).await?)
    }

    /// Servers that find the session: how soon a client has the trace and the last lines, then any lines, then search.
    async fn serve(&self, runs: usize) -> Result<()> {
        for run in 0..runs {
            let client = self.client().await?;
            let before = process::resident(client.info.pid)?;
            let began = Instant::now();
            let mut api = client.api.clone();
            let last = LogRequest {
                session: "log".into(),
                count: 100,
                from_end: true,
                ..LogRequest::default()
            };
            let answer = api.log(last.clone()).await?.into_inner();
            self.put("open", began.elapsed().as_secs_f64());
            let began = Instant::now();
            let request = TraceRequest {
                session: "log".into(),
                no_logs: true,
                ..TraceRequest::default()
            };
            let mut stream = api.trace(request).await?.into_inner();
            while stream.message().await?.is_some() {}
            self.put("trace", began.elapsed().as_secs_f64());
            for number in 0..50 {
                let request = LogRequest {
                    from: (number * 7919 + run as u64) * 65_537 % answer.total,
                    from_end: false,
                    ..last.clone()
                };
                let began = Instant::now();
                api.log(request).await?;
                self.put("window", began.elapsed().as_secs_f64());
            }
            let memory = process::resident(client.info.pid)? - before;
            self.put("memory.window", memory);
            self.search(&client, "search", RARE, false).await?;
            self.search(&client, "search.never", NEVER, false).await?;
            self.search(&client, "search.regex", "linking [a-z]+ 7$", true)
                .await?;
            self.put(
                "memory.search",
                process::resident(client.info.pid)? - before,
            );
            self.put("memory", process::resident(client.info.pid)?);
            process::end(client.info.pid, Signal::KILL)?;
        }
        Ok(())
    }

    async fn search(&self, client: &Client, what: &str, text: &str, regex: bool) -> Result<()> {
        let request = SearchLogRequest {
            session: "log".into(),
            pattern: Some(LogPattern {
                text: text.into(),
                regex,
                ..LogPattern::default()
            }),
            ..SearchLogRequest::default()
        };
        let began = Instant::now();
        let mut first = None;
        let mut stream = client.api.clone().search_log(request).await?.into_inner();
        while let Some(answer) = stream.message().await? {
            if !answer.lines.is_empty() {
                first.get_or_insert_with(|| began.elapsed());
            }
        }
        self.put(what, began.elapsed().as_secs_f64());
        if let Some(first) = first {
            self.put(&format!("{what}.first"), first.as_secs_f64());
        }
        Ok(())
    }

    /// The session of a server that was killed while it recorded, or of an old one.
    async fn restore(&mut self) -> Result<()> {
        fs::remove_file(self.session().join("1.places"))?;
        let client = self.client().await?;
        let request = LogRequest {
            session: "log".into(),
            count: 100,
            ..LogRequest::default()
        };
        let began = Instant::now();
        client.api.clone().log(request).await?;
        self.put("restore", began.elapsed().as_secs_f64());
        process::end(client.info.pid, Signal::KILL)
    }
}

fn status(vertexes: Vec<Vertex>, logs: Vec<VertexLog>) -> Event {
    let status = StatusResponse {
        vertexes,
        logs,
        ..StatusResponse::default()
    };
    Event::Status(status.encode_to_vec().into())
}

/// Lines as compilers write them, of different lengths.
struct Lines {
    number: usize,
    colours: bool,
    /// What did not go into the last message.
    rest: Vec<u8>,
}

impl Lines {
    fn new(colours: bool) -> Self {
        Self {
            number: 0,
            colours,
            rest: Vec::new(),
        }
    }

    /// So many bytes, or one line.
    fn message(&mut self, size: usize) -> Vec<u8> {
        let mut message = std::mem::take(&mut self.rest);
        while message.len() < size {
            let number = self.number;
            self.number += 1;
            let (green, reset) = match self.colours {
                true => ("\x1b[32m", "\x1b[0m"),
                false => ("", ""),
            };
            let word = match number % 1000 {
                500 => RARE,
                _ => "compiling",
            };
            let path = "deeply/nested/".repeat(number % 4);
            let _ = writeln!(
                message,
                "{green}{word}{reset} {path}unit_{} {}",
                number * 31 % 977,
                number % 10
            );
        }
        if size > 1 {
            self.rest = message.split_off(size);
        }
        message
    }
}
