//! Loading a pack: what Python says of every rule, from the cache when nothing changed.
//! A rule that kills the worker while it is imported is left out and reported; the others load.

use crate::cache::LoadCache;
use crate::prepared;
use crate::process::{LoadRequest, Process, StartError};
use crate::runner::Program;
use crate::stop::Cancel;
use iota_engine::event::LOG_TYPE;
use iota_engine::rule::{Code, Failure, Loaded, LoadedRule, Pack};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use thiserror::Error;

/// The version of the worker protocol this engine speaks.
const PROTOCOL: u32 = 1;

#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("a pack can hold at most 65,535 rules; {0} has more")]
    TooManyRules(String),
}

/// Loads the rules of `pack` at the given indices.
pub fn load(program: &Program, pack: &Pack, rules: &[u16], cache: Option<&LoadCache>) -> Result<Loaded, LoadError> {
    if pack.rules.len() > usize::from(u16::MAX) {
        return Err(LoadError::TooManyRules(pack.name.clone()));
    }
    // An engine file may load anything: what it would say cannot be known from the file.
    let cache = cache.filter(|_| program.engine.is_none());
    let key = cache.map(|_| LoadCache::key(program, &header(program, pack, rules, None), pack.snapshot.digest()));
    if let Some(found) = cache.zip(key.as_deref()).and_then(|(cache, key)| cache.get(key)) {
        return Ok(found);
    }
    let mut left_out: BTreeMap<u16, Failure> = BTreeMap::new();
    let started = Instant::now();
    let mut loaded = loop {
        let rest: Vec<u16> = rules.iter().copied().filter(|rule| !left_out.contains_key(rule)).collect();
        let request = request(pack, &header(program, pack, &rest, None));
        match Process::start(program, &request, &Cancel::default()) {
            Ok((_, loaded)) => break loaded,
            Err(StartError::Died { death, output, rule: Some(rule) })
                if rest.contains(&rule) && started.elapsed() < request.time =>
            {
                let path = pack.rules[usize::from(rule)].path().to_owned();
                let message = format!("importing it ended the worker: {death}");
                let failure =
                    Failure { r#type: "ImportDied".to_owned(), message, path: Some(path), line: None, traceback: output };
                left_out.insert(rule, failure);
            }
            Err(error) => return Err(error.into()),
        }
    };
    loaded.rules.extend(left_out.into_iter().map(|(index, error)| LoadedRule {
        defined_at: None,
        index,
        uses_state: false,
        warnings: Vec::new(),
        error: Some(error),
    }));
    loaded.rules.sort_by_key(|rule| rule.index);
    let mut indices: Vec<u16> = loaded.rules.iter().map(|rule| rule.index).collect();
    indices.dedup();
    if indices != rules {
        let why = "its load report does not name every rule once".to_owned();
        return Err(StartError::Refused(why).into());
    }
    if let Some(prepared) = &mut loaded.prepared {
        prepared::restrict(prepared, pack);
    }
    // What failed may work next time: a missing module is installed, a busy machine is idle.
    if let Some((cache, key)) = cache.zip(key).filter(|_| loaded.rules.iter().all(|rule| rule.error.is_none())) {
        cache.put(&key, &loaded);
    }
    Ok(loaded)
}

/// Header and files.
pub(crate) fn request(pack: &Pack, header: &Json) -> LoadRequest {
    let steps = ["data_models", "rules"].iter().filter_map(|key| header[*key].as_array()).map(Vec::len).sum();
    let header = header.to_string();
    let mut body = u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    body.extend_from_slice(header.as_bytes());
    for (_, bytes) in pack.snapshot.python() {
        body.extend_from_slice(bytes);
    }
    LoadRequest::new(body, steps)
}

/// `prepared` is what the load report said for further workers.
pub(crate) fn header(program: &Program, pack: &Pack, rules: &[u16], prepared: Option<&Json>) -> Json {
    let wanted: BTreeSet<u16> = rules.iter().copied().collect();
    let rules: Vec<Json> = (0..)
        .zip(&pack.rules)
        .filter(|(index, _)| wanted.contains(index))
        .map(|(index, rule)| {
            let (path, detection) = match &rule.code {
                Code::Python(path) => (Some(path), &Json::Null),
                Code::Detection(detection) => (None, detection),
            };
            let list = |value: &Json| if value.is_null() { json!([]) } else { value.clone() };
            json!({
                "index": index, "id": rule.id, "dialect": rule.dialect, "log_type": LOG_TYPE, "path": path,
                "severity": rule.severity,
                "inline_filters": list(&rule.inline_filters), "detection": detection,
                "dynamic_severities": list(&rule.dynamic_severities), "alert_title": rule.alert_title,
                "alert_context": list(&rule.alert_context), "group_by": list(&rule.group_by),
            })
        })
        .collect();
    let models: Vec<Json> = pack
        .data_models
        .iter()
        .map(|model| {
            let mappings: Vec<Json> = model
                .mappings
                .iter()
                .map(|mapping| match (&mapping.path, &mapping.method) {
                    (Some(path), _) => json!({"name": mapping.name, "path": path}),
                    (None, method) => json!({"name": mapping.name, "method": method}),
                })
                .collect();
            json!({"id": model.id, "path": model.path, "python": model.python, "log_types": model.log_types, "mappings": mappings})
        })
        .collect();
    let mut header = json!({
        "protocol": PROTOCOL,
        "now_ms": program.now_ms,
        "memory_bytes": program.memory,
        "sandbox": program.sandbox.confinement().map(|confinement| confinement.inner()),
        "pack": {"name": pack.name, "config": pack.config},
        "files": pack.snapshot.python().map(|(path, bytes)| json!({"path": path, "size": bytes.len()})).collect::<Vec<_>>(),
        "globals": pack.globals.iter().map(|module| json!({"id": module.id, "path": module.path})).collect::<Vec<_>>(),
        "data_models": models,
        "lookup_tables": pack.lookup_tables,
        "rules": rules,
    });
    if let Some(prepared) = prepared {
        header["prepared"] = prepared.clone();
    }
    header
}
