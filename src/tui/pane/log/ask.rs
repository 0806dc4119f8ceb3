//! The questions for lines: at most one is on its way, and each answer moves the window closer to what is wanted.

use super::super::super::msg::{BuildId, Effect, LogAnswer, SearchAnswer};
use super::super::super::session::Build;
use super::find::Way;
use super::{Source, State};
use crate::proto::controller::{LogRequest, LogResponse};

/// Lines that are asked for at once.
const COUNT: u32 = 256;

/// Bytes of lines that are kept, unless the screen needs more.
const KEPT: usize = 4 << 20;

/// Bytes of a screen row that are reckoned with: the longest line and what belongs to it.
const LONGEST: usize = 70 * 1024;

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The end of the log.
    End,
    /// Lines from this one on, in the place of what is here.
    At(u64),
    /// Lines from this one on, which go on with what is here.
    After(u64),
    /// Lines before this one, of a log with so many lines.
    Before { line: u64, back: u64 },
    /// The next match.
    Hit { way: Way, back: u64 },
}

/// Where the window is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Top,
    End,
    /// This line in sight.
    Line(u64),
}

/// Questions after which a server that never satisfies is not asked any more; a screen full of the longest lines takes
/// a dozen.
const QUESTIONS: u32 = 64;

#[derive(Clone, Copy, Debug)]
struct Asked {
    id: u64,
    what: What,
    /// Lines that were asked for.
    count: u32,
    /// Of which log it was asked.
    round: u64,
}

/// What was asked, and what is known of the log.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Counts the logs that were shown: answers for an older one are not taken.
    round: u64,
    asked: Option<Asked>,
    goal: Option<Goal>,
    loaded: bool,
    /// Lines of the whole log, as far as is known.
    total: u64,
    /// Lines and bytes that the build had when the end was asked for last.
    seen: (u64, u64),
    /// The last line was the last one of the log when it came: it may have been open.
    open_end: bool,
    /// Why there was no answer.
    trouble: Option<String>,
    /// Lines and bytes that the build had then; with more of them it is worth another question.
    troubled: Option<(u64, u64)>,
    /// Questions since a person has done something or the log has grown.
    questions: u32,
    /// Lines and bytes that the build had when the first of them was asked.
    counted: (u64, u64),
}

impl Asking {
    /// For another log; a question that is on its way is remembered, so that there is only one.
    pub fn new(before: &Self) -> Self {
        Self {
            round: before.round + 1,
            asked: before.asked,
            ..Self::default()
        }
    }

    /// Whether the window has lines of the log that is shown.
    pub fn loaded(&self) -> bool {
        self.loaded
    }

    /// Lines of the whole log, as far as is known.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Why there was no answer.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// A line is to be shown.
    pub fn go(&mut self, line: u64) {
        self.goal = Some(Goal::Line(line));
    }

    /// The beginning is to be shown.
    pub fn top(&mut self) {
        self.goal = Some(Goal::Top);
    }

    /// The end is to be shown.
    pub fn end(&mut self) {
        self.goal = Some(Goal::End);
    }
}

impl State {
    /// A person has done something: it is worth new questions.
    pub fn acted(&mut self) {
        if self.asking.questions >= QUESTIONS {
            (self.asking.trouble, self.asking.troubled) = (None, None);
        }
        self.asking.questions = 0;
    }

    /// Whether this question was asked here.
    pub fn awaits(&self, id: u64) -> bool {
        self.asking.asked.is_some_and(|asked| asked.id == id)
    }

    /// Whether this search was asked for here.
    pub fn awaits_hits(&self, id: u64) -> bool {
        self.find.as_ref().is_some_and(|find| find.id == Some(id))
    }

    /// Forgets what was asked: the answers will not come.
    pub fn ask_again(&mut self) {
        self.asking.asked = None;
        if let Some(find) = &mut self.find {
            find.stop();
        }
    }

    /// What is to be asked now, `rows` being in sight; `server`: it can be asked for logs. `id` gives numbers.
    pub fn ask(
        &mut self,
        build: &Build,
        rows: u16,
        server: bool,
        mut id: impl FnMut() -> u64,
    ) -> Vec<Effect> {
        self.rows = usize::from(rows);
        self.source = match server {
            true => Source::Server,
            false => Source::Trace,
        };
        if !server || build.number == 0 {
            return Vec::new();
        }
        let amount = self.amount(build);
        self.asking.total = self.asking.total.max(amount.0);
        let mut effects = Vec::new();
        let where_ = BuildId {
            session: build.session.clone(),
            build: build.number,
        };
        let vertex = self.vertex.clone().unwrap_or_default();
        let filter = self.filter.as_ref().map(|filter| filter.pattern.clone());
        if let Some(find) = &mut self.find
            && find.id.is_none()
        {
            let id = id();
            find.id = Some(id);
            effects.push(Effect::Search {
                id,
                build: where_.clone(),
                vertex: vertex.clone(),
                pattern: find.pattern.clone(),
                filter: filter.clone(),
            });
        }
        self.reach(build);
        if self.asking.asked.is_some() {
            return effects;
        }
        if self.asking.counted != amount {
            (self.asking.counted, self.asking.questions) = (amount, 0);
        }
        if self.asking.questions >= QUESTIONS && self.asking.trouble.is_none() {
            self.asking.trouble = Some("the server's answers do not fit together".to_owned());
        }
        let Some(what) = self.next(build, amount) else {
            return effects;
        };
        self.asking.questions += 1;
        let mut request = LogRequest {
            session: where_.session,
            build: where_.build,
            vertex,
            count: COUNT.max(u32::from(rows) * 2),
            filter,
            ..LogRequest::default()
        };
        match what {
            What::End => request.from_end = true,
            What::At(line) | What::After(line) => request.from = line,
            What::Before { back, .. } => {
                request.from_end = true;
                request.from = back;
            }
            What::Hit { way, back } => {
                request.search = self.find.as_ref().map(|find| find.pattern.clone());
                request.count = 1;
                match way {
                    Way::Forward(line) | Way::Near(line) => request.from = line,
                    Way::Backward(_) => {
                        request.from_end = true;
                        request.from = back;
                    }
                }
            }
        }
        let id = id();
        self.asking.asked = Some(Asked {
            id,
            what,
            count: request.count,
            round: self.asking.round,
        });
        effects.push(Effect::Log {
            id,
            request: Box::new(request),
        });
        effects
    }

    /// Lines and bytes that the shown log has, as the trace tells.
    fn amount(&self, build: &Build) -> (u64, u64) {
        match &self.vertex {
            Some(vertex) => build
                .counts
                .get(vertex)
                .map_or((0, 0), |count| (count.lines, count.bytes)),
            None => build.total,
        }
    }

    /// Goes where the goal is, if the window is there already.
    fn reach(&mut self, build: &Build) {
        if !self.asking.loaded {
            return;
        }
        let reached = match self.asking.goal {
            None => return,
            Some(Goal::Top) => self.window.from() == 0,
            Some(Goal::End) => self.window.to() >= self.asking.total,
            Some(Goal::Line(line)) => {
                let covered = self.window.covers(line);
                if covered {
                    self.show_line(build, line);
                }
                covered
            }
        };
        if reached {
            self.asking.goal = None;
        }
    }

    /// Scrolls so that a line that is here can be seen.
    fn show_line(&mut self, build: &Build, line: u64) {
        let index = self.window.index_of(line);
        let first = self.first(build);
        let inside = (first..first + self.rows.max(1)).contains(&index);
        // While the end is followed, the line would soon be gone.
        if inside && self.top.is_some() {
            return;
        }
        let first = if inside {
            first
        } else {
            index.saturating_sub(self.rows / 3)
        };
        self.top = self.window.get(first).map(|line| line.number);
    }

    /// The next question.
    fn next(&mut self, build: &Build, amount: (u64, u64)) -> Option<What> {
        let grown = amount != self.asking.seen;
        if self.asking.trouble.is_some() {
            if *self.asking.troubled.get_or_insert(amount) == amount {
                return None;
            }
            (self.asking.trouble, self.asking.troubled) = (None, None);
        }
        if !self.asking.loaded {
            return Some(match self.asking.goal {
                Some(Goal::Line(line)) => What::At(line.saturating_sub(self.rows as u64 / 3)),
                Some(Goal::Top) => What::At(0),
                _ => self.end(amount),
            });
        }
        if let Some(way) = self.find.as_ref().and_then(|find| find.wanted) {
            let before = match way {
                Way::Backward(line) => line,
                _ => 0,
            };
            let back = self.asking.total.saturating_sub(before);
            return Some(What::Hit { way, back });
        }
        match self.asking.goal {
            Some(Goal::Top) => return Some(What::At(0)),
            Some(Goal::End) => return Some(self.end(amount)),
            Some(Goal::Line(line)) => return Some(What::At(self.before(line))),
            None => {}
        }
        let (from, to) = (self.window.from(), self.window.to());
        let first = self.first(build);
        let margin = self.rows + 1;
        if first < margin && from > 0 {
            let back = self.asking.total.saturating_sub(from);
            return Some(What::Before { line: from, back });
        }
        let behind = self.window.len().saturating_sub(first + self.rows);
        if behind >= margin {
            return None;
        }
        let seam = match self.asking.open_end {
            true => to.saturating_sub(1).max(from),
            false => to,
        };
        if to < self.asking.total {
            let far = self.asking.total - to > u64::from(COUNT) * 4;
            if self.top.is_none() && far && self.filter.is_none() {
                return Some(self.end(amount));
            }
            self.asking.seen = amount;
            return Some(What::After(seam));
        }
        if grown {
            self.asking.seen = amount;
            return Some(What::After(seam));
        }
        None
    }

    fn end(&mut self, amount: (u64, u64)) -> What {
        self.asking.seen = amount;
        What::End
    }

    /// Where lines are asked from so that `line` has some above it.
    fn before(&self, line: u64) -> u64 {
        match self.filter {
            Some(_) => line,
            None => line.saturating_sub(self.rows as u64 / 3),
        }
    }

    /// Takes lines that were asked for.
    pub fn on_lines(&mut self, answer: LogAnswer) {
        let Some(asked) = self.asking.asked.take_if(|asked| asked.id == answer.id) else {
            return;
        };
        if asked.round != self.asking.round {
            return;
        }
        let response = match answer.answer {
            Ok(response) => response,
            Err(line) => {
                self.asking.trouble = Some(crate::term::escape::line(&line).into_owned());
                self.asking.goal = None;
                if let Some(find) = &mut self.find {
                    find.wanted = None;
                }
                return;
            }
        };
        self.asking.total = self.asking.total.max(response.total);
        self.take(asked, response);
        // In the middle of what is seen; at the end of the log while it is followed.
        let centre = self
            .top
            .and_then(|top| self.window.get(self.window.index_of(top) + self.rows / 2))
            .map_or(u64::MAX, |line| line.number);
        let most = KEPT.max(self.rows * 4 * LONGEST);
        self.window.trim(centre, most);
    }

    fn take(&mut self, asked: Asked, response: LogResponse) {
        // An answer can end because of its size, or because it has all that was asked for.
        let partial = response.more || response.lines.len() >= asked.count as usize;
        let first = response.lines.first().map(|line| line.number);
        let last = response.lines.last().map(|line| line.number);
        let total = response.total;
        // Behind the last line that came, or the end.
        let to = match last {
            Some(last) if partial => last.saturating_add(1),
            _ => total,
        };
        if response.more && first.is_none() {
            self.asking.trouble = Some("the server has more lines and gives none".to_owned());
            return;
        }
        // Without a filter there are no numbers without a line.
        let partial_front = partial || self.filter.is_none();
        let known = (self.window.from(), self.window.to());
        match asked.what {
            What::End => {
                let from = match first {
                    Some(first) if partial_front => first,
                    _ => 0,
                };
                if self.asking.loaded
                    && from <= self.window.to()
                    && from >= self.window.from()
                    && total >= self.window.to()
                {
                    self.window.append(response.lines, from, total);
                } else {
                    self.window.replace(response.lines, from, total);
                }
                self.asking.loaded = true;
                if self.asking.goal == Some(Goal::End) {
                    self.asking.goal = None;
                }
            }
            What::At(line) => {
                let line = line.min(total);
                self.window.replace(response.lines, line, to);
                self.asking.loaded = true;
                match self.asking.goal {
                    // The lines above it were so long that it did not come along.
                    Some(Goal::Line(wanted)) if !self.window.covers(wanted) => {
                        self.asking.goal = None;
                        if wanted < total && line < wanted {
                            self.window.replace(Vec::new(), wanted, wanted);
                            self.top = Some(wanted);
                        }
                    }
                    Some(Goal::Line(_)) => self.top = Some(line),
                    Some(Goal::Top) => self.asking.goal = None,
                    Some(Goal::End) | None => {}
                }
            }
            What::After(line) => self.window.append(response.lines, line, to),
            What::Before { line, back } => {
                let until = total.saturating_sub(back);
                let from = match first {
                    Some(first) if partial_front => first,
                    _ => 0,
                };
                // The log has grown since, and the answer does not reach down to what is here.
                if until >= line {
                    self.window.prepend(response.lines, from);
                }
            }
            What::Hit { way, .. } => self.on_hit(way, last),
        }
        if matches!(asked.what, What::End | What::At(_) | What::After(_)) {
            self.asking.open_end = self.window.to() >= total;
        }
        let stuck = match asked.what {
            What::After(line) => {
                line >= known.1 && self.window.to() <= known.1 && known.1 < self.asking.total
            }
            What::Before { .. } => self.window.from() >= known.0,
            What::End => self.window.to() < self.asking.total,
            What::At(_) | What::Hit { .. } => false,
        };
        if stuck {
            self.asking.trouble = Some("the server's lines do not go on".to_owned());
        }
    }

    fn on_hit(&mut self, way: Way, found: Option<u64>) {
        let wanted = self.find.as_ref().and_then(|find| find.wanted);
        if wanted != Some(way) {
            return;
        }
        match (found, way) {
            (None, Way::Near(line)) => {
                if let Some(find) = &mut self.find {
                    find.wanted = Some(Way::Backward(line));
                }
            }
            (found, _) => self.arrive(found),
        }
    }

    /// Takes what a search has found; gives a complaint.
    pub fn on_found(&mut self, answer: SearchAnswer) -> Option<String> {
        let find = self.find.as_mut()?;
        match answer.answer {
            Ok(part) => {
                find.on_found(part);
                self.decide();
                None
            }
            Err(line) => {
                find.stop();
                find.wanted = None;
                Some(line)
            }
        }
    }
}
