//! How bad it is, in the words of others.

use crate::record::{Kind, Record};

/// How bad a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Bartizan's own life.
    Information,
    /// Allowed and recorded.
    Notice,
    /// Refused.
    Warning,
    /// Something could not be recorded.
    Error,
    /// Somebody touched Bartizan.
    Critical,
}

impl Severity {
    pub(super) fn of(record: &Record) -> Severity {
        match (record.kind, record.verdict.as_deref()) {
            (Kind::Tamper, _) => Severity::Critical,
            (Kind::Loss, _) => Severity::Error,
            (_, Some("deny")) => Severity::Warning,
            (Kind::Lifecycle, _) => Severity::Information,
            _ => Severity::Notice,
        }
    }

    /// RFC 5424, 6.2.1.
    pub(super) fn syslog(self) -> u8 {
        match self {
            Severity::Information => 6,
            Severity::Notice => 5,
            Severity::Warning => 4,
            Severity::Error => 3,
            Severity::Critical => 2,
        }
    }

    /// `severity_id` of OCSF, and its caption.
    pub(super) fn ocsf(self) -> (u8, &'static str) {
        match self {
            Severity::Information => (1, "Informational"),
            Severity::Notice => (2, "Low"),
            Severity::Warning => (3, "Medium"),
            Severity::Error => (4, "High"),
            Severity::Critical => (5, "Critical"),
        }
    }

    /// `severityNumber` of OTLP's logs data model, and the text.
    pub(super) fn otlp(self) -> (u8, &'static str) {
        match self {
            Severity::Information => (9, "INFO"),
            Severity::Notice => (10, "INFO2"),
            Severity::Warning => (13, "WARN"),
            Severity::Error => (17, "ERROR"),
            Severity::Critical => (21, "FATAL"),
        }
    }
}
