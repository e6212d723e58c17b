//! `pack.yaml`: what a pack says of itself.

use super::definition::Dialect;
use crate::yaml::{YamlError, from_yaml};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Its names; the first that is there counts.
pub const PACK_FILES: [&str; 2] = ["pack.yaml", "pack.yml"];
/// The only version of `pack.yaml` there is.
const VERSION: u32 = 1;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackFile {
    version: Option<Spanned<u32>>,
    pub(super) name: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    pub(super) dialect: Option<Dialect>,
    min_iota: Option<Spanned<String>>,
    /// Values that rules read with `iota_rule.config(name)`; each may be overridden by one of the same type.
    #[serde(default)]
    pub(super) config: Map<String, Json>,
    /// Table name to rows by key, or to the path of a YAML or JSON file of the pack that holds them.
    #[serde(default)]
    pub(super) lookup_tables: BTreeMap<String, Json>,
}

impl PackFile {
    pub(super) fn parse(bytes: &[u8], engine_version: &str) -> Result<Self, YamlError> {
        let file: Self = from_yaml(bytes)?;
        let fail = |line: u64, message: String| Err(YamlError { line, message, unknown_key: false });
        match &file.version {
            None => return fail(1, format!("`version: {VERSION}` is missing")),
            Some(version) if version.value != VERSION => {
                return fail(
                    version.referenced.line(),
                    format!("version {} is not known; this iota reads version {VERSION}", version.value),
                );
            }
            Some(_) => {}
        }
        if let Some(needed) = &file.min_iota
            && numbers(&needed.value) > numbers(engine_version)
        {
            return fail(
                needed.referenced.line(),
                format!("the pack needs iota {} or newer; this is {engine_version}", needed.value),
            );
        }
        Ok(file)
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
