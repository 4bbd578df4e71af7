//! Where the daemon's own words go: the journal under systemd, otherwise stderr.

use log::{Level, LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// The journal, without what the HTTP server says about its own threads.
struct WithoutChatter(JournalLog);

impl Log for WithoutChatter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || !metadata.target().starts_with("actix")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Sets the logger up. Events of tracing reach it through tracing's `log` feature.
pub fn start(level: LevelFilter) -> Result<(), String> {
    if connected_to_journal() {
        let journal = JournalLog::new().map_err(|error| format!("the journal cannot be reached: {error}"))?;
        let journal = journal.with_syslog_identifier("bartizand".to_owned());
        log::set_boxed_logger(Box::new(WithoutChatter(journal)))
            .map_err(|error| format!("the journal logger cannot be installed: {error}"))?;
        log::set_max_level(level);
        return Ok(());
    }
    let filter = match level {
        LevelFilter::Off => tracing::metadata::LevelFilter::OFF,
        LevelFilter::Error => tracing::metadata::LevelFilter::ERROR,
        LevelFilter::Warn => tracing::metadata::LevelFilter::WARN,
        LevelFilter::Info => tracing::metadata::LevelFilter::INFO,
        LevelFilter::Debug => tracing::metadata::LevelFilter::DEBUG,
        LevelFilter::Trace => tracing::metadata::LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(filter).with_writer(std::io::stderr).init();
    Ok(())
}

/// Has a command, which has no log of its own, reach the journal with what has nowhere else to go.
pub(crate) fn of_command() {
    if let Ok(journal) = JournalLog::new()
        && journal.with_syslog_identifier("bartizan".to_owned()).install().is_ok()
    {
        log::set_max_level(LevelFilter::Info);
    }
}
