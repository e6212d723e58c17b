//! The unified fields of a pack's data models, as rules ask for them with `udm`.

use super::eval::UnifiedField;
use super::lower::Lowering;
use crate::rule::Pack;
use std::collections::BTreeMap;

/// The unified fields of the pack's data models for CloudTrail.
pub(super) fn unified_fields(lowering: &mut Lowering<'_>, pack: &Pack) -> BTreeMap<String, UnifiedField> {
    let mut fields = BTreeMap::new();
    for model in pack.data_models.iter().filter(|model| model.log_types.iter().any(|log| log == crate::event::LOG_TYPE)) {
        for mapping in &model.mappings {
            let field = match (&mapping.path, &mapping.method) {
                (Some(path), _) => plain_path(path).map_or(UnifiedField::Unknown, UnifiedField::Path),
                (None, Some(method)) => {
                    let module = model.python.as_deref().and_then(|path| lowering.sources.module(path));
                    match module.map(|module| lowering.top_level(module, method)) {
                        Some(Ok(function)) => UnifiedField::Method(function),
                        _ => UnifiedField::Unknown,
                    }
                }
                (None, None) => UnifiedField::Unknown,
            };
            fields.insert(mapping.name.clone(), field);
        }
    }
    fields
}

/// The member names of a path that has nothing but them: `userIdentity.arn`, `$.userIdentity.arn`.
fn plain_path(path: &str) -> Option<Vec<String>> {
    let path = path.trim();
    let path = path.strip_prefix("$.").unwrap_or(path);
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let plain =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    names.iter().all(plain).then_some(names)
}
