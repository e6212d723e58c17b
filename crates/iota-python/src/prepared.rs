//! What the load report of one worker prepares for the next ones of its pack. Pack code has run in the worker that reports, so
//! it may have written the report; and what it names is imported before there is a sandbox.

use iota_engine::guard::is_module_of_python;
use iota_engine::rule::Pack;
use serde_json::Value as Json;
use std::cell::LazyCell;
use std::collections::BTreeSet;

/// Takes out of the list of imports what reading the files of the pack could not have put there.
pub(crate) fn restrict(prepared: &mut Json, pack: &Pack) {
    let Some(imports) = prepared.get_mut("imports").and_then(Json::as_array_mut) else { return };
    let words = LazyCell::new(|| words(pack));
    let mut refused = 0_usize;
    imports.retain(|name| {
        let kept = name.as_str().is_some_and(|name| may_be_imported(name, || &words));
        refused += usize::from(!kept);
        kept
    });
    if refused > 0 {
        tracing::warn!("pack {}: its worker has named {refused} modules that the pack does not import", pack.name);
    }
}

/// `words` are asked for only where it is no module of Python.
fn may_be_imported<'w>(name: &str, words: impl FnOnce() -> &'w BTreeSet<&'w [u8]>) -> bool {
    let is_identifier = |part: &str| {
        let mut characters = part.chars();
        characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
            && characters.all(|character| character == '_' || character.is_alphanumeric())
    };
    let top = name.split('.').next().unwrap_or_default();
    let spelt = name.split('.').all(is_identifier) && !name.split('.').any(|part| part == "__main__");
    spelt && (is_module_of_python(top) || words().contains(top.as_bytes()))
}

/// Everything in the files of a pack that looks like a name, in whatever encoding: more than it imports.
fn words(pack: &Pack) -> BTreeSet<&[u8]> {
    let is_part = |byte: &u8| *byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii();
    pack.snapshot.python().flat_map(|(_, bytes)| bytes.split(move |byte| !is_part(byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use iota_engine::rule::Snapshot;
    use serde_json::json;

    #[test]
    fn only_what_the_pack_could_have_named_is_imported_for_it() {
        let source = "import requests.auth\nimport yaml\ndef rule(event):\n    return True\n";
        let pack = Pack::read("p", Snapshot::new([("a.py".to_owned(), source.into())].into()), "1.0.0");
        let kept = json!(["json", "encodings.idna", "_strptime", "requests", "requests.auth", "yaml"]);
        let forged = json!([
            "boto",
            "pip",
            "pip._internal",
            "json.__main__",
            "requests.__main__",
            "",
            ".",
            "json..tool",
            "../evil",
            "a b",
            "1",
            7,
            null,
            ["json"]
        ]);
        let all: Vec<Json> = kept.as_array().into_iter().chain(forged.as_array()).flatten().cloned().collect();
        let mut prepared = json!({"imports": all, "taken": ["x"]});
        restrict(&mut prepared, &pack);
        assert_eq!(prepared, json!({"imports": kept, "taken": ["x"]}));
        for odd in [json!(null), json!([]), json!({"imports": {"json": 1}})] {
            let mut same = odd.clone();
            restrict(&mut same, &pack);
            assert_eq!(same, odd);
        }
    }
}
