//! Any bytes as a JSON value: the scanner agrees with `serde_json`, and the tree and `minify` keep the value.

#![no_main]

use iota_engine::json::{Ignore, ScanError, Scanned, Syntax, Value, minify, scan};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let ours = scan(data, 0, &mut Ignore);
    let theirs = serde_json::from_slice::<&RawValue>(data);
    let valid = matches!(ours, Ok(Scanned::End(end)) if data[end..].iter().all(|byte| b" \n\r\t".contains(byte)));
    match (&theirs, ours) {
        (Ok(_), Err(ScanError::Invalid { why: Syntax::Overflow | Syntax::IntegerTooLong | Syntax::TooDeep, .. })) => return,
        (Err(error), _) if error.to_string().starts_with("recursion limit") => {}
        _ => assert_eq!(valid, theirs.is_ok(), "ours {ours:?}, theirs {theirs:?}"),
    }
    let value = Value::parse(data);
    let mut canonical = Vec::new();
    value.canonical_into(&mut canonical);
    if !valid {
        return;
    }
    let minified = minify(data);
    assert_eq!(scan(&minified, 0, &mut Ignore), Ok(Scanned::End(minified.len())));
    assert_eq!(Value::parse(&minified), value, "minify changed the value");
    assert_eq!(scan(&canonical, 0, &mut Ignore), Ok(Scanned::End(canonical.len())));
    let mut again = Vec::new();
    Value::parse(&canonical).canonical_into(&mut again);
    assert_eq!(canonical, again, "the canonical form is its own canonical form");
    // serde_json knows no lone surrogates.
    if let (Ok(before), Ok(after)) = (serde_json::from_slice(data), serde_json::from_slice(&canonical)) {
        assert!(same(&before, &after), "{before} became {after}");
    }
});

/// Equal, numbers compared as the doubles they stand for.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => match (a.as_f64(), b.as_f64()) {
            // serde_json rounds the last digit differently from one notation to another.
            (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-15 + f64::MIN_POSITIVE,
            (a, b) => a.is_some() == b.is_some(),
        },
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b))),
        (a, b) => a == b,
    }
}
