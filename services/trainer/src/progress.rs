//! Progress on the terminal: one bar or spinner a step. Nothing is drawn where standard error is
//! not a terminal; each finished step is then one line.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A step that is under way. Ends when dropped.
pub(crate) struct Step {
    bar: ProgressBar,
    name: String,
    started: Instant,
}

impl Step {
    /// A step of unknown length.
    pub(crate) fn start(name: &str) -> Self {
        Self::with(ProgressBar::new_spinner(), name, "{spinner} {prefix} {msg} {elapsed}")
    }

    /// A step of so many parts.
    pub(crate) fn counted(name: &str, parts: usize) -> Self {
        let parts = u64::try_from(parts).unwrap_or(u64::MAX);
        let style = "{spinner} {prefix} {bar:30} {pos}/{len} {msg} {elapsed}, about {eta} left";
        Self::with(ProgressBar::new(parts), name, style)
    }

    fn with(bar: ProgressBar, name: &str, style: &str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template(style).expect("the templates above are valid"));
        bar.set_prefix(format!("{name:<28}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, name: name.to_owned(), started: Instant::now() }
    }

    /// Sets how many parts are done, with a word on the state.
    pub(crate) fn at(&self, parts: usize, state: impl Into<String>) {
        self.bar.set_position(u64::try_from(parts).unwrap_or(u64::MAX));
        self.bar.set_message(state.into());
    }
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
