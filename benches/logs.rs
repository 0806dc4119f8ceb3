//! Measures how long logs of 1 GiB take that a server finds on disk, without any engine. For `scripts/bench`, which
//! makes a table of what this prints:
//!
//!     logs BUILDX DIRECTORY RUNS [SHAPE…]
//!
//! Each value is a line of JSON on standard output, as those of `benches/server.rs`. Shapes of logs: `plain` text in
//! messages as a flood makes them, the same `coloured`, and `short` messages of a line each.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use buildx::client::{self, Client, Options};
use buildx::paths::Env;
use buildx::proto::controller::{LogPattern, LogRequest, SearchLogRequest, TraceRequest};
use rustix::process::Signal;

#[path = "server/process.rs"]
mod process;
#[path = "logs/record.rs"]
mod record;
#[path = "common/values.rs"]
mod values;

use record::{LONG, NEVER, RARE, SESSION, Shape, record};

/// A shape, and what it is called.
const SHAPES: [(&str, Shape); 3] = [
    (
        "plain",
        Shape {
            message: 32 << 10,
            colours: false,
            bytes: LONG,
        },
    ),
    (
        "coloured",
        Shape {
            message: 32 << 10,
            colours: true,
            bytes: LONG,
        },
    ),
    (
        "short",
        Shape {
            message: 1,
            colours: false,
            // What comes with each message makes a trace of 1 GiB of it.
            bytes: LONG / 4,
        },
    ),
];

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut next = |what| args.next().with_context(|| format!("{what} is missing"));
    let program = fs::canonicalize(next("BUILDX")?)?;
    let dir = PathBuf::from(next("DIRECTORY")?);
    let runs: usize = next("RUNS")?.parse()?;
    let wanted: Vec<String> = args.collect();
    let known = |name: &String| SHAPES.iter().any(|shape| shape.0 == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        bail!("there is no shape {unknown:?}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    for (name, shape) in &SHAPES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("bench: logs: {name}");
            let root = dir.join(format!("logs-{name}"));
            let mut bench = Bench {
                name,
                program: program.clone(),
                root: root.clone(),
            };
            let measured = bench.record(shape).and_then(|()| {
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
    name: &'a str,
    program: PathBuf,
    root: PathBuf,
}

impl Bench<'_> {
    fn put(&self, what: &str, value: f64) {
        let what = format!("logs.{}.{what}", self.name);
        values::put(&what, "ours", value);
    }

    /// Writes a finished session as a server does.
    fn record(&self, shape: &Shape) -> Result<()> {
        let recorded = record(&self.root, shape)?;
        let speed = shape.bytes as f64 / recorded.indexing.as_secs_f64();
        self.put("index.speed", speed);
        self.put("index.bytes", recorded.places as f64);
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
                session: SESSION.into(),
                count: 100,
                from_end: true,
                ..LogRequest::default()
            };
            let answer = api.log(last.clone()).await?.into_inner();
            self.put("open", began.elapsed().as_secs_f64());
            let began = Instant::now();
            let request = TraceRequest {
                session: SESSION.into(),
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
            session: SESSION.into(),
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
        fs::remove_file(record::session(&self.root).join("1.places"))?;
        let client = self.client().await?;
        let request = LogRequest {
            session: SESSION.into(),
            count: 100,
            ..LogRequest::default()
        };
        let began = Instant::now();
        client.api.clone().log(request).await?;
        self.put("restore", began.elapsed().as_secs_f64());
        process::end(client.info.pid, Signal::KILL)
    }
}
