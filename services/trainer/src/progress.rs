//! Progress on the terminal: one bar or spinner a step. Where standard error is not a terminal, a
//! step that takes long says now and then how far it is, and each finished step is one line.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines of one step where there is no terminal.
const PAUSE: Duration = Duration::from_secs(30);
const SPINNER: &str = "{spinner} {prefix} {msg} {elapsed}";
const COUNTED: &str =
    "{spinner} {prefix} {bar:30} {percent:>3} % {msg} {elapsed}, about {eta} left";

/// A step that is under way. Ends when dropped.
pub(crate) struct Step {
    bar: ProgressBar,
    name: String,
    started: Instant,
    /// When the next line is due, in milliseconds since the start.
    due: AtomicU64,
}

impl Step {
    /// A step of which it is not known how many parts it has.
    pub(crate) fn start(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.set_style(style(SPINNER));
        bar.set_prefix(format!("{name:<28}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        let due = AtomicU64::new(milliseconds(PAUSE));
        Self { bar, name: name.to_owned(), started: Instant::now(), due }
    }

    /// A step of so many parts.
    pub(crate) fn counted(name: &str, parts: usize) -> Self {
        let step = Self::start(name);
        step.expect(parts);
        step
    }

    /// Sets how many parts there are: from here on the time that is left is shown.
    pub(crate) fn expect(&self, parts: usize) {
        self.bar.set_style(style(COUNTED));
        self.bar.set_length(whole(parts));
    }

    /// Sets how many parts are done.
    pub(crate) fn at(&self, parts: usize) {
        self.bar.set_position(whole(parts));
    }

    /// So many more parts are done.
    pub(crate) fn advance(&self, parts: usize) {
        self.bar.inc(whole(parts));
        if self.bar.is_hidden() {
            self.tell();
        }
    }

    /// A word on the state.
    pub(crate) fn say(&self, state: impl Into<String>) {
        self.bar.set_message(state.into());
    }

    /// Writes a line where one is due.
    fn tell(&self) {
        let passed = self.started.elapsed();
        let (now, due) = (milliseconds(passed), self.due.load(Ordering::Relaxed));
        let next = now.saturating_add(milliseconds(PAUSE));
        let mine = || self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if now < due || mine().is_err() {
            return;
        }
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if let Some(line) = line(passed, done, all) {
            eprintln(&format!("{:<28} {line}", self.name));
        }
    }
}

/// How far a step is, and about how long it still takes; `None` where that cannot be said.
fn line(passed: Duration, done: u64, all: u64) -> Option<String> {
    let share = done.saturating_mul(100).checked_div(all)?.min(100);
    let ahead = u128::from(all.saturating_sub(done));
    let left = u128::from(passed.as_secs()).saturating_mul(ahead).checked_div(done.into())?;
    Some(format!("{share} %, about {left} s left"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are valid")
}

fn whole(parts: usize) -> u64 {
    u64::try_from(parts).unwrap_or(u64::MAX)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        let line = format!("{:<28} {:.1} s", self.name, self.started.elapsed().as_secs_f64());
        eprintln(&line);
    }
}

/// Writes a line of progress for a person.
#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
fn eprintln(line: &str) {
    let mark = if std::io::stderr().is_terminal() { "✓ " } else { "" };
    eprintln!("{mark}{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_how_long_it_takes() {
        let minute = Duration::from_secs(60);
        let rows = [
            (25, 100, Some("25 %, about 180 s left")),
            (100, 100, Some("100 %, about 0 s left")),
            (0, 100, None),
            (3, 0, None),
            (7, 5, Some("100 %, about 0 s left")),
        ];
        for (done, all, expected) in rows {
            assert_eq!(line(minute, done, all).as_deref(), expected, "{done} of {all}");
        }
    }
}
