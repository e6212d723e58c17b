//! What match expressions name: paths into a record, and lists of texts.

use crate::guard::ir::Step;
use serde_json::{Map, Value as Json};

/// `Values`, or the one `Value`.
pub(super) fn texts_of(expression: &Map<String, Json>) -> Option<Vec<&[u8]>> {
    let values = match (expression.get("Values"), expression.get("Value")) {
        (Some(values), _) => values.as_array()?.as_slice(),
        (None, Some(value)) => std::slice::from_ref(value),
        (None, None) => return None,
    };
    values.iter().map(|value| value.as_str().map(str::as_bytes)).collect()
}

/// The path of `Key`, `DeepKey` or `KeyPath`; without one it is empty, and means what is looked at itself.
pub(super) fn path_of(expression: &Map<String, Json>) -> Option<Vec<Step>> {
    let step = |key: &Json| match key {
        Json::String(name) => Some(Step::Name(name.clone())),
        key => key.as_i64().map(Step::Position),
    };
    match (expression.get("Key"), expression.get("DeepKey"), expression.get("KeyPath")) {
        (None, None, None) => Some(Vec::new()),
        (None, Some(Json::Array(keys)), None) if !keys.is_empty() => keys.iter().map(step).collect(),
        (Some(key), None, None) | (None, Some(key), None) => Some(vec![step(key)?]),
        (None, None, Some(Json::String(path))) => steps(path),
        _ => None,
    }
}

/// The steps of a path that has nothing but names and positions: `a.b`, `$.a.b`, `a[0].b`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let path = path.trim();
    let path = path.strip_prefix("$.").unwrap_or(path);
    let mut found = Vec::new();
    for part in path.split('.') {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            return None;
        }
        found.push(Step::Name(name.to_owned()));
        while !rest.is_empty() {
            let (position, after) = rest.strip_prefix('[')?.split_once(']')?;
            found.push(Step::Position(position.parse().ok().filter(|_| !position.starts_with('+'))?));
            rest = after;
        }
    }
    Some(found)
}
