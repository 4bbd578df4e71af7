//! Tells on a terminal that something takes its time: nothing within the first second, and nothing off a terminal.

use std::env;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is not worth a line that goes away again.
const QUIET: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);

/// A line on the standard error, until it is dropped.
pub(crate) struct Waiting {
    bar: ProgressBar,
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    /// For something of which nobody knows how far it is.
    pub(crate) fn until(what: &str) -> Waiting {
        let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
        Waiting::with(ProgressBar::new_spinner(), style, what)
    }

    /// For so many steps.
    pub(crate) fn steps(what: &str, steps: u64) -> Waiting {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}, {elapsed}");
        Waiting::with(ProgressBar::new(steps), style.map(|style| style.progress_chars("=> ")), what)
    }

    fn with(bar: ProgressBar, style: Result<ProgressStyle, indicatif::style::TemplateError>, what: &str) -> Waiting {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(super::line::legible(what));
        let (ended, end) = channel();
        let shown = bar.clone();
        let show = move || {
            if end.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    shown.tick();
                }
            }
        };
        // A terminal that cannot go back in a line would get a new one with every tick.
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let thread = if dumb { None } else { std::thread::Builder::new().spawn(show).ok() };
        Waiting { bar, ended: Some(ended), thread }
    }

    /// So many of so many steps are done.
    pub(crate) fn at(&self, done: u64, steps: u64) {
        self.bar.set_length(steps);
        self.bar.set_position(done);
    }

    /// One step more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
