//! Where the steps of a build are written, in its trace.

use buildx::client::Client;
use buildx::proto::control::{StatusResponse, Vertex};
use buildx::proto::controller::{BuildFailure, Sources};
use prost::Message;

use super::*;
use crate::support::engine::graphdriver;

/// What the trace of a build says about its steps.
#[derive(Default)]
struct Told {
    sources: Vec<Sources>,
    /// Vertices as they were before sources came, and after.
    before: Vec<Vertex>,
    after: Vec<Vertex>,
    log: Vec<u8>,
    failure: Option<BuildFailure>,
}

impl Told {
    async fn of(client: &Client, session: &str) -> Self {
        client.wait_for(session, ended).await;
        let request = TraceRequest {
            session: session.to_owned(),
            ..TraceRequest::default()
        };
        let mut api = client.api.clone();
        let mut stream = api.trace(request).await.unwrap().into_inner();
        let mut told = Self::default();
        while let Some(record) = stream.message().await.unwrap() {
            match record.event.unwrap().event.unwrap() {
                Event::Sources(sources) => told.sources.push(sources),
                Event::Status(status) => {
                    let status = StatusResponse::decode(status).unwrap();
                    let vertices = match told.sources.is_empty() {
                        true => &mut told.before,
                        false => &mut told.after,
                    };
                    vertices.extend(status.vertexes);
                    told.log
                        .extend(status.logs.into_iter().flat_map(|log| log.msg));
                }
                Event::Outcome(outcome) => {
                    if let Some(outcome::End::Failed(failure)) = outcome.end {
                        told.failure = Some(failure);
                    }
                }
                _ => {}
            }
        }
        told
    }

    /// The instructions of a vertex in the file, by the locations that it has.
    fn written(&self, vertex: &str) -> Vec<String> {
        let mut found = Vec::new();
        for sources in &self.sources {
            let own = sources.locations.iter().filter(|one| one.vertex == vertex);
            for location in own {
                let file = &sources.files[location.file as usize];
                assert_eq!((&*file.name, &*file.language), ("Dockerfile", "Dockerfile"));
                let text = String::from_utf8_lossy(&file.data);
                for range in &location.ranges {
                    let (start, end) = (range.start as usize, range.end as usize);
                    let lines: Vec<&str> = text.lines().collect();
                    found.push(lines[start - 1..end].join("\n"));
                }
            }
        }
        found
    }

    /// Every step that ran is where the Dockerfile has it; their names, each once.
    #[track_caller]
    fn check(&self) -> Vec<&str> {
        assert!(
            self.before
                .iter()
                .all(|vertex| vertex.name.starts_with("[internal]")),
            "{:?}",
            self.before
        );
        let mut names = Vec::new();
        for vertex in &self.after {
            let Some((_, instruction)) = vertex.name.split_once("] ") else {
                continue;
            };
            if vertex.name.starts_with("[internal]") || vertex.started.is_none() {
                continue;
            }
            let instruction = instruction.split_once(' ').unwrap().0;
            let written = self.written(&vertex.digest);
            assert!(!written.is_empty(), "{vertex:?}");
            assert!(
                written.iter().all(|text| text.starts_with(instruction)),
                "{vertex:?}: {written:?}"
            );
            if !names.contains(&&*vertex.name) {
                names.push(&*vertex.name);
            }
        }
        names
    }
}

#[tokio::test]
async fn the_sources_of_all_steps_come_before_the_first_one_runs() {
    for engine in [engine(), graphdriver()] {
        let server = Shared::on(engine);
        let client = server.client().await;
        let context = Context::dockerfile(
            "FROM scratch AS base\n\
             COPY busybox /bin/sh\n\
             # not a step\n\
             RUN echo \\\n  two lines\n\
             FROM scratch\n\
             COPY --from=base /bin/sh /sh\n",
        )
        .with_busybox();
        let id = server.detached(&["--no-cache"], &context);
        let told = Told::of(&client, &id).await;
        let names = told.check();
        assert_eq!(names.len(), 3, "{names:?}");
        let run = told.after.iter().find(|vertex| vertex.name.contains("RUN"));
        let run = told.written(&run.unwrap().digest);
        assert_eq!(run, ["RUN echo \\\n  two lines"]);
        let [sources] = told.sources.as_slice() else {
            panic!("{:?}", told.sources);
        };
        let text = std::fs::read(context.join("Dockerfile")).unwrap();
        assert_eq!(sources.files[0].data, text);
    }
}

#[tokio::test]
async fn each_platform_has_its_sources() {
    let server = Shared::on(engine());
    let client = server.client().await;
    let context = Context::dockerfile("FROM scratch\nCOPY a /\n").file("a", "");
    let platforms = ["--platform", "linux/amd64,linux/arm64"];
    let id = server.detached(&platforms, &context);
    let told = Told::of(&client, &id).await;
    assert_eq!(told.sources.len(), 2);
    // The same copy for both: one operation.
    assert_eq!(told.check().len(), 1, "{:?}", told.after);
}

#[tokio::test]
async fn a_dockerfile_that_cannot_be_read_has_no_sources() {
    let server = Shared::on(engine());
    let client = server.client().await;
    let context = Context::dockerfile("FROM scratch\nWRONG\n");
    let id = server.detached(&[], &context);
    let told = Told::of(&client, &id).await;
    assert!(told.sources.is_empty());
    let failure = told.failure.unwrap();
    assert_eq!(failure.sources[0].ranges[0].start, 2, "{failure:?}");
}

/// Without a local context, steps of different builds are the same operations to the engine. It names
/// those apart whose cache is ignored.
#[tokio::test]
async fn steps_that_another_build_has_too_are_run_and_found() {
    let server = Shared::on(engine());
    let client = server.client().await;
    let tag = format!("sources-{}:1", std::process::id());
    server.build(&["-t", &tag], &Context::busybox("")).ok();
    // The held step is not the last one.
    let context = Context::dockerfile(format!(
        "FROM {tag}\nRUN echo one\nRUN echo at $(cat /proc/uptime); exit 3\nRUN echo three\n"
    ));
    let mut logs = Vec::new();
    for arguments in [&[][..], &[], &["--no-cache"]] {
        let id = server.detached(arguments, &context);
        let told = Told::of(&client, &id).await;
        let names = told.check();
        assert_eq!(names.len(), 3, "{names:?}");
        let failure = told.failure.unwrap();
        assert_eq!(failure.state(), buildx::proto::controller::State::After);
        let mut failed = told.after.iter().filter(|vertex| !vertex.error.is_empty());
        assert!(
            failed.all(|vertex| vertex.digest == failure.vertex),
            "{failure:?}"
        );
        let log = String::from_utf8(told.log).unwrap();
        let at = log.split_once("at ").expect("the step did not run").1;
        logs.push(at.to_owned());
    }
    logs.dedup();
    assert_eq!(logs.len(), 3, "a remembered failure was shown: {logs:?}");
}
