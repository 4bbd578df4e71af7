//! Why the store cannot go on.

use rusqlite::{Error, ErrorCode};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Base(#[from] rusqlite::Error),
    #[error("{0}")]
    Trail(#[from] std::io::Error),
    #[error("a record cannot be written or read as text: {0}")]
    Text(#[from] serde_json::Error),
    #[error("it is damaged")]
    Damaged,
    #[error("it is of another version")]
    Version,
}

impl Trouble {
    /// Whether another attempt with this file cannot help.
    pub(super) fn is_final(&self) -> bool {
        match self {
            // Of the wrong type is only what was not written here, and what is there twice is not where it belongs.
            Trouble::Base(
                Error::InvalidColumnType(..) | Error::FromSqlConversionFailure(..) | Error::QueryReturnedNoRows,
            ) => true,
            Trouble::Base(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation)
            ),
            Trouble::Damaged | Trouble::Version => true,
            Trouble::Trail(_) | Trouble::Text(_) => false,
        }
    }
}
