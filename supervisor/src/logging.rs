//! Where the daemon's own words go: the journal under systemd, otherwise stderr.

use log::LevelFilter;
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Sets the logger up. Events of tracing reach it through tracing's `log` feature.
pub fn start(level: LevelFilter) -> Result<(), String> {
    if connected_to_journal() {
        let journal = JournalLog::new().map_err(|error| format!("the journal cannot be reached: {error}"))?;
        journal
            .with_syslog_identifier("bartizand".to_owned())
            .install()
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
