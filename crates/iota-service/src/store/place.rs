//! Where state is kept, as people name it, and how it is opened.

use super::{DynamoDb, Sqlite};
use iota_engine::store::{Result, Store};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the name of a table begins with; a directory of such a name is given as `./dynamodb:...`.
const DYNAMODB: &str = "dynamodb:";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// With an `SQLite` database, for one process that takes input.
    Directory(PathBuf),
    /// A `DynamoDB` table, for any number of them.
    Table(String),
}

impl Place {
    /// A directory, `dynamodb:TABLE` or `dynamodb://TABLE`. The error says what is wrong with the name.
    pub fn parse(named: &Path) -> std::result::Result<Self, String> {
        let Some(table) = named.to_str().and_then(|text| text.strip_prefix(DYNAMODB)) else {
            return Ok(Self::Directory(named.to_owned()));
        };
        let table = table.strip_prefix("//").unwrap_or(table);
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        if (3..=255).contains(&table.len()) && table.chars().all(is_name) {
            return Ok(Self::Table(table.to_owned()));
        }
        Err("the name of a DynamoDB table has 3 to 255 letters, digits, `_`, `-` and `.`".to_owned())
    }

    /// It is a path that may be relative to something.
    pub fn is_path(named: &Path) -> bool {
        !named.to_str().is_some_and(|text| text.starts_with(DYNAMODB))
    }

    /// The process that takes input has it to itself.
    pub fn is_exclusive(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// For a process that takes input.
    pub fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Directory(directory) => Arc::new(Sqlite::open(directory)?),
            Self::Table(table) => Arc::new(DynamoDb::open(table)?),
        })
    }

    /// To look at what is there, and to change what people may change.
    pub fn open_beside(&self) -> Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Directory(directory) => Arc::new(Sqlite::open_beside(directory)?),
            Self::Table(table) => Arc::new(DynamoDb::open_beside(table)?),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(f),
            Self::Table(table) => write!(f, "{DYNAMODB}{table}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_from_directories() {
        let parse = |text: &str| Place::parse(Path::new(text)).map(|place| place.to_string());
        assert_eq!(parse("dynamodb:iota-state"), Ok("dynamodb:iota-state".to_owned()));
        assert_eq!(parse("dynamodb://iota.state_1"), Ok("dynamodb:iota.state_1".to_owned()));
        assert_eq!(parse("/var/lib/iota"), Ok("/var/lib/iota".to_owned()));
        assert_eq!(parse("./dynamodb:x"), Ok("./dynamodb:x".to_owned()));
        for wrong in ["dynamodb:", "dynamodb:ab", "dynamodb://a/b", "dynamodb:ta ble"] {
            assert!(parse(wrong).is_err_and(|why| why.contains("3 to 255")), "{wrong}");
        }
    }
}
