//! Builds, sessions and screens by hand, for tests of what is drawn: everything goes the way that it goes in life, as
//! messages to [`App::update`]. Times are seconds since [`BEGAN`]; the engine's clock is ours.
//!
//! ```ignore
//! let mut app = Screen::new(80, 24).app();
//! Script::new("web")
//!     .dockerfile("FROM busybox\nRUN make\n")
//!     .step(step("[build 1/2] FROM busybox").cached().line(1))
//!     .step(step("[build 2/2] RUN make").after(&["[build 1/2]"]).line(2).ran(0.1, 18.2).exit(2).log(&["no rule"]))
//!     .failed("[build 2/2]")
//!     .tell(&mut app, 41.3);
//! insta::assert_snapshot!(screen(&app));
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use prost::Message;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::app::{App, Setup};
use super::draw::draw_into;
use super::keymap::{Key, Keymap};
use super::layout::Pane;
use super::msg::{BuildId, Effect, LogAnswer, Msg};
use super::pane::Look;
use super::session::View;
use super::theme::Theme;
use crate::monitor::invoke::On;
use crate::progress::time::{Nanos, SECOND, stamp};
use crate::proto::control::{self, StatusResponse};
use crate::proto::controller::trace_event::Event;
use crate::proto::controller::{
    BuildFailure, BuildHeader, Caller, Canceled, Client, Finished, InfoResponse, InspectResponse,
    LineRange, LogCount, LogCounts, LogLine, LogResponse, Outcome, Process, Session, SessionState,
    SourceExcerpt, SourceFile, SourceLocation, Sources, State, TraceEvent, outcome,
};
use crate::proto::pb;

pub mod samples;

/// When every build begins, in milliseconds since 1970: 2023-11-14T22:13:20Z.
pub const BEGAN: i64 = 1_700_000_000_000;

/// Seconds since [`BEGAN`] → milliseconds since 1970.
pub fn at(seconds: f64) -> i64 {
    BEGAN.saturating_add((seconds * 1000.0).round() as i64)
}

fn engine(seconds: f64) -> Nanos {
    (BEGAN * 1_000_000).saturating_add((seconds * SECOND as f64).round() as Nanos)
}

/// The digest that a step of this name has.
pub fn digest(name: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// A step, to be described.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    name: String,
    after: Vec<String>,
    lines: Option<(u32, u32)>,
    cached: bool,
    times: Option<(f64, Option<f64>)>,
    error: String,
    log: Vec<(f64, u32, String)>,
    parts: Vec<control::VertexStatus>,
    warnings: Vec<(String, u32)>,
    missing: Vec<String>,
    group: Option<(String, bool)>,
    local: bool,
}

/// A step that waits.
pub fn step(name: &str) -> Scripted {
    Scripted {
        name: name.to_owned(),
        ..Scripted::default()
    }
}

impl Scripted {
    /// It waits for these: beginnings of names.
    pub fn after(mut self, names: &[&str]) -> Self {
        self.after = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// It is written in this line of the Dockerfile.
    pub fn line(self, line: u32) -> Self {
        self.lines(line, line)
    }

    /// It is written in these lines of the Dockerfile, both included.
    pub fn lines(mut self, first: u32, last: u32) -> Self {
        self.lines = Some((first, last));
        self
    }

    /// The engine had it.
    pub fn cached(mut self) -> Self {
        self.cached = true;
        self.times = Some((0.0, Some(0.0)));
        self
    }

    /// It ran from then to then.
    pub fn ran(mut self, from: f64, to: f64) -> Self {
        self.times = Some((from, Some(to)));
        self
    }

    /// It runs since then.
    pub fn runs(mut self, from: f64) -> Self {
        self.times = Some((from, None));
        self
    }

    /// It failed.
    pub fn error(mut self, error: &str) -> Self {
        self.error = error.to_owned();
        self
    }

    /// Its program failed.
    pub fn exit(self, code: u32) -> Self {
        let error = format!(
            "process \"/bin/sh -c {}\" did not complete successfully: exit code: {code}",
            command(&self.name)
        );
        self.error(&error)
    }

    /// It was stopped with the build, or because another step failed.
    pub fn canceled(self) -> Self {
        self.error("context canceled")
    }

    /// It wrote these lines, a tenth of a second apart, from its start on.
    pub fn log(mut self, lines: &[&str]) -> Self {
        let from = self.times.map_or(0.0, |(from, _)| from);
        for line in lines {
            let time = from + self.log.len() as f64 / 10.0;
            self.log.push((time, 1, (*line).to_owned()));
        }
        self
    }

    /// It wrote this line then, to standard output (1) or standard error (2).
    pub fn wrote(mut self, time: f64, stream: u32, line: &str) -> Self {
        self.log.push((time, stream, line.to_owned()));
        self
    }

    /// The engine clipped its log.
    pub fn clipped(mut self, sentence: &str) -> Self {
        self.missing.push(sentence.to_owned());
        self
    }

    /// A part of it, such as a layer that comes: began, measured last, and ended then; so many bytes of so many.
    pub fn part(
        mut self,
        id: &str,
        (began, measured, ended): (f64, f64, Option<f64>),
        current: i64,
        total: i64,
    ) -> Self {
        self.parts.push(control::VertexStatus {
            id: id.to_owned(),
            vertex: digest(&self.name),
            name: String::new(),
            current,
            total,
            timestamp: Some(stamp(engine(measured))),
            started: Some(stamp(engine(began))),
            completed: ended.map(|ended| stamp(engine(ended))),
        });
        self
    }

    /// The frontend warns of it, at a line of the Dockerfile.
    pub fn warning(mut self, short: &str, line: u32) -> Self {
        self.warnings.push((short.to_owned(), line));
        self
    }

    /// It is part of a progress group; `weak`: it alone does not show the group.
    pub fn group(mut self, name: &str, weak: bool) -> Self {
        self.group = Some((name.to_owned(), weak));
        self
    }

    /// It is a step of our own.
    pub fn local(mut self) -> Self {
        self.local = true;
        self
    }
}

/// `RUN make` of `[build 3/4] RUN make` without its instruction.
fn command(name: &str) -> &str {
    name.split_once("RUN ").map_or(name, |(_, command)| command)
}

/// A session and its build, to be described.
#[derive(Clone, Debug)]
pub struct Script {
    /// What the server says of the session; may be changed at will.
    pub session: Session,
    /// The steps.
    pub steps: Vec<Scripted>,
    /// What the server tells when it is asked for everything; its session is set by [`Script::tell`].
    pub inspected: InspectResponse,
    dockerfile: String,
    notes: Vec<(bool, String)>,
    remarks: Vec<String>,
    end: Option<outcome::End>,
    code: u32,
}

impl Script {
    /// A build of this name that runs; the id of its session is the name.
    pub fn new(name: &str) -> Self {
        Self {
            session: Session {
                id: name.to_owned(),
                name: name.to_owned(),
                state: SessionState::Building.into(),
                builder: "default".to_owned(),
                created: BEGAN,
                started: BEGAN,
                build: 1,
                watchers: 1,
                exit_code: -1,
                context: "/src/app".to_owned(),
                ..Session::default()
            },
            steps: Vec::new(),
            inspected: InspectResponse::default(),
            dockerfile: String::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
            end: None,
            code: 0,
        }
    }

    /// One more step.
    pub fn step(mut self, step: Scripted) -> Self {
        self.steps.push(step);
        self
    }

    /// Its Dockerfile.
    pub fn dockerfile(mut self, text: &str) -> Self {
        text.clone_into(&mut self.dockerfile);
        self
    }

    /// A line from before the build.
    pub fn note(mut self, warning: bool, line: &str) -> Self {
        self.notes.push((warning, line.to_owned()));
        self
    }

    /// A line that is said once it has succeeded.
    pub fn remark(mut self, line: &str) -> Self {
        self.remarks.push(line.to_owned());
        self
    }

    /// A process in it.
    pub fn process(mut self, process: Process) -> Self {
        self.session.processes += u32::from(process.ended == 0);
        self.inspected.processes.push(process);
        self
    }

    /// A client of it.
    pub fn client(mut self, pid: u32, terminal: &str, read_only: bool) -> Self {
        self.inspected.clients.push(Client {
            pid,
            terminal: terminal.to_owned(),
            process: String::new(),
            read_only,
        });
        self
    }

    /// Platforms of its result.
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.inspected.platforms = platforms.iter().map(|p| (*p).to_owned()).collect();
        self
    }

    /// It failed in the step whose name begins so; the state is kept for 30 minutes.
    pub fn failed(self, name: &str) -> Self {
        let step = self.find(name).clone();
        let code = step
            .error
            .rsplit_once("exit code: ")
            .and_then(|(_, code)| code.parse().ok());
        let excerpt = step.lines.map(|(start, end)| SourceExcerpt {
            filename: "Dockerfile".to_owned(),
            data: self.dockerfile.clone().into_bytes().into(),
            ranges: vec![LineRange { start, end }],
        });
        self.failure(BuildFailure {
            code: 2,
            message: format!("failed to solve: {}", step.error),
            vertex: digest(&step.name),
            sources: excerpt.into_iter().collect(),
            process_exit_code: code,
            state: State::After.into(),
            ..BuildFailure::default()
        })
    }

    /// It failed like this.
    pub fn failure(mut self, failure: BuildFailure) -> Self {
        self.session.state = SessionState::Failed.into();
        if failure.state() != State::Unspecified {
            self.session.kept_until = BEGAN + 30 * 60_000;
        }
        self.end = Some(outcome::End::Failed(failure));
        self.code = 1;
        self
    }

    /// It went well, with this answer of the engine.
    pub fn finished(mut self, response: &[(&str, &str)]) -> Self {
        self.session.state = SessionState::Succeeded.into();
        self.end = Some(outcome::End::Finished(Finished {
            response: response
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            build_ref: "default/default/abc".to_owned(),
        }));
        self.code = 0;
        self
    }

    /// Somebody stopped it; empty: the client that started it.
    pub fn stopped(mut self, by: &str) -> Self {
        self.session.state = SessionState::Canceled.into();
        self.end = Some(outcome::End::Canceled(Canceled { by: by.to_owned() }));
        self.code = 130;
        self
    }

    fn find(&self, name: &str) -> &Scripted {
        self.steps
            .iter()
            .find(|step| step.name.starts_with(name))
            .unwrap_or_else(|| panic!("the script has no step {name:?}"))
    }

    /// Tells the app of the session and of all of its build, as it is at `now`, and makes it the chosen one. Gives what
    /// the app wants done.
    pub fn tell(&self, app: &mut App, now: f64) -> Vec<Effect> {
        let now = at(now);
        let mut session = self.session.clone();
        session.steps = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let done = self.steps.iter().filter(|step| step.done());
        session.steps_done = u32::try_from(done.count()).unwrap_or(u32::MAX);
        if self.end.is_some() {
            session.ended = now;
            session.exit_code = i32::try_from(self.code).unwrap_or(i32::MAX);
        }
        let id = session.id.clone();
        let build = BuildId {
            session: id.clone(),
            build: session.build,
        };
        let inspected = InspectResponse {
            session: Some(session.clone()),
            ..self.inspected.clone()
        };
        let mut effects = app.update(now, Msg::Session(Box::new(session)));
        effects.extend(app.choose(&id));
        effects.extend(app.update(now, Msg::Trace(build, self.events(now))));
        effects.extend(app.update(now, Msg::Inspected(Box::new(inspected))));
        effects
    }

    /// The view of this session alone, as it is at `now`.
    pub fn view(&self, now: f64) -> View {
        let mut app = Screen::new(80, 24).app();
        self.tell(&mut app, now);
        app.views.remove(&self.session.id).expect("it was told")
    }

    /// Everything that the trace of the build says, at `now` in milliseconds since 1970.
    pub fn events(&self, now: i64) -> Vec<TraceEvent> {
        let mut events: Vec<Event> = Vec::new();
        for (warning, line) in &self.notes {
            events.push(match warning {
                true => Event::Warning(line.clone()),
                false => Event::Note(line.clone()),
            });
        }
        events.push(Event::Header(BuildHeader {
            builder: "default".to_owned(),
            driver: "docker".to_owned(),
            build_ref: "default/default/abc".to_owned(),
        }));
        let announced = StatusResponse {
            vertexes: self.of(false, |step| self.vertex(step, true)),
            ..StatusResponse::default()
        };
        events.push(Event::Status(announced.encode_to_vec().into()));
        if !self.dockerfile.is_empty() {
            events.push(Event::Sources(self.sources()));
        }
        events.push(Event::Status(self.status(false).encode_to_vec().into()));
        if self.steps.iter().any(|step| step.local) {
            events.push(Event::LocalStatus(self.status(true).encode_to_vec().into()));
        }
        events.push(Event::LogCounts(self.counts()));
        events.extend(self.remarks.iter().cloned().map(Event::Remark));
        if let Some(end) = self.end.clone() {
            events.push(Event::Outcome(Outcome {
                end: Some(end),
                exit_code: self.code,
            }));
        }
        let time = |event: &Event| match event {
            Event::Outcome(_) => now,
            _ => BEGAN,
        };
        events
            .into_iter()
            .map(|event| TraceEvent {
                time: time(&event),
                event: Some(event),
            })
            .collect()
    }

    fn of<T>(&self, local: bool, make: impl Fn(&Scripted) -> T) -> Vec<T> {
        self.steps
            .iter()
            .filter(|step| step.local == local)
            .map(make)
            .collect()
    }

    fn status(&self, local: bool) -> StatusResponse {
        StatusResponse {
            vertexes: self.of(local, |step| self.vertex(step, false)),
            statuses: self.of(local, |step| step.parts.clone()).concat(),
            logs: Vec::new(),
            warnings: self.of(local, |step| self.warnings_of(step)).concat(),
        }
    }

    fn vertex(&self, step: &Scripted, announced: bool) -> control::Vertex {
        let inputs = step.after.iter().map(|name| digest(&self.find(name).name));
        let times = step.times.filter(|_| !announced);
        control::Vertex {
            digest: digest(&step.name),
            inputs: inputs.collect(),
            name: step.name.clone(),
            cached: step.cached && !announced,
            started: times.map(|(from, _)| stamp(engine(from))),
            completed: times.and_then(|(_, to)| to).map(|to| stamp(engine(to))),
            error: if announced {
                String::new()
            } else {
                step.error.clone()
            },
            progress_group: step.group.as_ref().map(|(name, weak)| pb::ProgressGroup {
                id: format!("group {name}"),
                name: name.clone(),
                weak: *weak,
            }),
        }
    }

    fn warnings_of(&self, step: &Scripted) -> Vec<control::VertexWarning> {
        let position = |line: u32| {
            Some(pb::Position {
                line: i32::try_from(line).unwrap_or(0),
                character: 0,
            })
        };
        let warning = |(short, line): &(String, u32)| control::VertexWarning {
            vertex: digest(&step.name),
            level: 1,
            short: short.clone().into_bytes(),
            info: Some(pb::SourceInfo {
                filename: "Dockerfile".to_owned(),
                data: self.dockerfile.clone().into_bytes(),
                ..pb::SourceInfo::default()
            }),
            ranges: vec![pb::Range {
                start: position(*line),
                end: position(*line),
            }],
            ..control::VertexWarning::default()
        };
        step.warnings.iter().map(warning).collect()
    }

    fn sources(&self) -> Sources {
        let location = |step: &Scripted| {
            step.lines.map(|(start, end)| SourceLocation {
                vertex: digest(&step.name),
                file: 0,
                ranges: vec![LineRange { start, end }],
            })
        };
        Sources {
            files: vec![SourceFile {
                name: "Dockerfile".to_owned(),
                data: self.dockerfile.clone().into_bytes().into(),
                language: "Dockerfile".to_owned(),
            }],
            locations: self.steps.iter().filter_map(location).collect(),
        }
    }

    fn counts(&self) -> LogCounts {
        let count = |step: &Scripted| LogCount {
            vertex: digest(&step.name),
            lines: step.log.len() as u64,
            bytes: step
                .log
                .iter()
                .map(|(_, _, line)| line.len() as u64 + 1)
                .sum(),
            missing: step.missing.clone(),
        };
        let steps = self.steps.iter().filter(|step| !step.log.is_empty());
        let steps: Vec<LogCount> = steps.map(count).collect();
        LogCounts {
            lines: steps.iter().map(|step| step.lines).sum(),
            bytes: steps.iter().map(|step| step.bytes).sum(),
            steps,
        }
    }

    /// The lines of the log of the step whose name begins so, or of all steps in order of time if it is empty.
    pub fn lines(&self, name: &str) -> Vec<LogLine> {
        let steps = self.steps.iter().filter(|step| step.name.starts_with(name));
        let mut lines: Vec<LogLine> = steps
            .flat_map(|step| {
                step.log.iter().map(|(time, stream, line)| LogLine {
                    number: 0,
                    vertex: digest(&step.name),
                    time: at(*time),
                    stream: *stream,
                    text: line.clone().into_bytes().into(),
                    continued: false,
                })
            })
            .collect();
        lines.sort_by_key(|line| line.time);
        for (line, number) in lines.iter_mut().zip(0..) {
            line.number = number;
        }
        lines
    }

    /// Answers what the app has asked about logs, as the server would, until it asks no more; other effects are dropped.
    pub fn answer(&self, app: &mut App, effects: Vec<Effect>) {
        let mut waiting: Vec<Effect> = effects;
        while let Some(effect) = waiting.pop() {
            let Effect::Log { id, request } = effect else {
                continue;
            };
            let step = self
                .steps
                .iter()
                .find(|step| digest(&step.name) == request.vertex);
            let all = self.lines(step.map_or("", |step| &step.name));
            let (total, count) = (all.len() as u64, u64::from(request.count));
            let (first, last) = if request.from_end {
                let last = total.saturating_sub(request.from);
                (last.saturating_sub(count), last)
            } else {
                (request.from, request.from.saturating_add(count))
            };
            let bytes = all.iter().map(|line| line.text.len() as u64 + 1).sum();
            let inside = |line: &LogLine| (first..last).contains(&line.number);
            let answer = LogAnswer {
                id,
                answer: Ok(LogResponse {
                    lines: all.into_iter().filter(inside).collect(),
                    total,
                    bytes,
                    more: if request.from_end {
                        first > 0
                    } else {
                        last < total
                    },
                }),
            };
            let now = app.now;
            waiting.extend(app.update(now, Msg::Log(answer)));
        }
    }
}

impl Scripted {
    fn done(&self) -> bool {
        matches!(self.times, Some((_, Some(_))))
    }
}

/// A screen without sessions, to be described.
#[derive(Clone, Debug)]
pub struct Screen {
    size: (u16, u16),
    ascii: bool,
    colour: bool,
}

impl Screen {
    /// Of this many columns and rows; UTF-8 and colours.
    pub fn new(columns: u16, rows: u16) -> Self {
        Self {
            size: (columns, rows),
            ascii: false,
            colour: true,
        }
    }

    /// ASCII only, without colour.
    pub fn ascii(mut self) -> Self {
        self.ascii = true;
        self.colour = false;
        self
    }

    /// The app, connected, with no session.
    pub fn app(self) -> App {
        let setup = Setup {
            caller: Caller::default(),
            invoke: None,
            on: On::Error,
            keymap: keymap(),
            theme: Theme::new(self.ascii, self.colour, Vec::new()),
            depth: crate::tui::shell::screen::colour::Depth::True,
            mouse: true,
            recent: Vec::new(),
            recent_file: None,
            commands: Vec::new(),
            history: None,
            hint: false,
            in_process: false,
        };
        let mut app = App::new(setup, self.size, BEGAN);
        let info = InfoResponse {
            features: vec!["log".to_owned()],
            ..InfoResponse::default()
        };
        app.update(BEGAN, Msg::Connected(Box::new(info)));
        app.update(BEGAN, Msg::AllSessions);
        app
    }
}

/// The keys as they are without a configuration.
pub fn keymap() -> Keymap {
    let prefix = Key::parse("ctrl-a").expect("a key");
    Keymap::new(prefix, &BTreeMap::new()).expect("no changes")
}

/// The whole screen as text.
pub fn screen(app: &App) -> String {
    text(&screen_buffer(app))
}

/// The whole screen as cells.
pub fn screen_buffer(app: &App) -> Buffer {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buf = Buffer::empty(area);
    draw_into(app, area, &mut buf);
    buf
}

/// What draws into a place of this size with the looks of the app; `focused`: it has the keyboard.
pub fn pane(
    app: &App,
    (columns, rows): (u16, u16),
    focused: bool,
    draw: impl FnOnce(Rect, &mut Buffer, &Look),
) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    let look = Look {
        theme: &app.setup.theme,
        keymap: &app.setup.keymap,
        focused,
        now: app.now,
    };
    draw(area, &mut buf, &look);
    buf
}

/// The rows of a buffer, without spaces at their ends, each behind a `|` so that the left border is seen.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let row: String = (buf.area.left()..buf.area.right())
            .filter_map(|x| buf.cell((x, y)))
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        let _ = writeln!(out, "|{}", row.trim_end());
    }
    out
}

/// As [`text`], and beneath each row the runs of cells that do not look plain: `   3..8 red bold`.
pub fn styled(buf: &Buffer) -> String {
    let mut out = String::new();
    for (y, row) in (buf.area.top()..buf.area.bottom()).zip(text(buf).lines()) {
        let _ = writeln!(out, "{row}");
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in buf.area.left()..buf.area.right() {
            let Some(cell) = buf.cell((x, y)) else {
                continue;
            };
            let looks = looks(cell);
            match runs.last_mut() {
                Some((_, end, known)) if *known == looks => *end = x + 1,
                _ => runs.push((x, x + 1, looks)),
            }
        }
        for (from, to, looks) in runs.into_iter().filter(|(.., looks)| !looks.is_empty()) {
            let _ = writeln!(out, "    {from}..{to} {looks}");
        }
    }
    out
}

fn looks(cell: &ratatui::buffer::Cell) -> String {
    let mut words = Vec::new();
    // Colour and light attributes cannot be seen on a space.
    let blank = cell.symbol().trim().is_empty();
    if cell.fg != Color::Reset && !blank {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {:?}", cell.bg).to_lowercase());
    }
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        let seen = matches!(modifier, Modifier::REVERSED | Modifier::UNDERLINED) || !blank;
        if cell.modifier.contains(modifier) && seen {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// The place of a pane beneath its title, on the screen of the app.
pub fn inside(app: &App, pane: Pane) -> Rect {
    app.layout().inside(pane).expect("the pane is shown")
}

mod tests {
    use super::*;

    #[test]
    fn a_script_is_told_as_a_server_would() {
        let mut app = Screen::new(80, 24).app();
        let script = Script::new("web")
            .dockerfile("FROM busybox\nRUN make\n")
            .step(step("[1/2] FROM busybox").cached().line(1))
            .step(
                step("[2/2] RUN make")
                    .after(&["[1/2]"])
                    .line(2)
                    .ran(0.1, 18.2)
                    .exit(2)
                    .log(&["no rule", "to make"]),
            )
            .failed("[2/2]");
        let effects = script.tell(&mut app, 19.0);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::Follow(_)))
        );
        let view = app.view().unwrap();
        assert_eq!(view.build.failed_step(), Some(1));
        let step = &view.build.trace.steps[1];
        assert_eq!(step.inputs, [digest("[1/2] FROM busybox")]);
        assert_eq!(step.duration(0), 18_100_000_000);
        assert_eq!(
            view.build
                .failure()
                .and_then(|failure| failure.process_exit_code),
            Some(2)
        );
        assert_eq!(view.build.places[&step.digest].1[0].start, 2);
        assert_eq!(view.build.counts[&step.digest].lines, 2);
        assert!(screen(&app).contains("web"));
    }
}
