//! Why the store cannot go on.

use rusqlite::ffi::SQLITE_ERROR;
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
    #[error("it was set aside while it was asked")]
    Replaced,
    #[error("it is of another version")]
    Version,
}

impl Trouble {
    /// Whether another attempt with this file cannot help.
    pub(super) fn is_final(&self) -> bool {
        match self {
            // What is there twice is not where it belongs. The statements are always the same, so where SQLite finds one at
            // fault (`SQLITE_ERROR`) the tables are not those that were made here.
            Trouble::Base(Error::SqliteFailure(failure, _)) => {
                matches!(
                    failure.code,
                    ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::ConstraintViolation
                        | ErrorCode::TypeMismatch
                        | ErrorCode::TooBig
                ) || failure.extended_code == SQLITE_ERROR
            }
            // All others are about what is in the file: of a type, of a size, or no text, as it was not written here.
            Trouble::Base(_) => true,
            Trouble::Damaged | Trouble::Version => true,
            Trouble::Trail(_) | Trouble::Text(_) | Trouble::Replaced => false,
        }
    }
}
