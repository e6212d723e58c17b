//! Keys of objects as notifications spell them.

/// Reads `application/x-www-form-urlencoded`: `+` is a space, `%XX` a byte. `None` when that gives no UTF-8, or a `%` is
/// followed by something else than two hexadecimal digits.
pub(super) fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                u8::from_str_radix(text, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Of S3's own notifications: keys are always encoded. One that cannot be decoded is taken as it stands.
pub(super) fn encoded(key: &str) -> Vec<String> {
    vec![decoded(key).unwrap_or_else(|| key.to_owned())]
}

/// Of senders whose encoding is not documented (EventBridge, CloudTrail's own topic): as it stands, then decoded.
pub(super) fn either(key: &str) -> Vec<String> {
    let mut keys = vec![key.to_owned()];
    keys.extend(decoded(key).filter(|decoded| decoded != key));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_forms_are() {
        for (key, expected) in [
            ("a/b.json.gz", Some("a/b.json.gz")),
            ("my+file%3Da.json.gz", Some("my file=a.json.gz")),
            ("a%2Bb", Some("a+b")),
            ("100%25", Some("100%")),
            ("%C3%BC", Some("\u{fc}")),
            ("%c3%bc", Some("\u{fc}")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%FF", None),
        ] {
            assert_eq!(decoded(key).as_deref(), expected, "{key}");
        }
        assert_eq!(encoded("50%"), ["50%"], "what cannot be decoded stands for itself");
        assert_eq!(either("a+b"), ["a+b", "a b"]);
        assert_eq!(either("plain"), ["plain"]);
    }
}
