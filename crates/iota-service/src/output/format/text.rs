//! Text cut to a limit, without breaking a character, and with a mark that says so.

/// Stands at the end of text that was cut.
pub const CUT: &str = "... (truncated)";

/// At most `limit` characters; longer text ends in `CUT`.
pub fn cut_chars(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mark = CUT.len().min(limit);
    text.chars().take(limit - mark).chain(CUT.chars().take(mark)).collect()
}

/// At most `limit` bytes; longer text ends in `CUT`.
pub fn cut_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mark = &CUT[..CUT.len().min(limit)];
    let most = limit - mark.len();
    let kept = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}{mark}", &text[..kept])
}

/// On one line, safe to show.
pub fn one_line(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    iota_engine::text::printable(&text.join(" "))
}

/// With its lines, each safe to show.
pub fn lines(text: &str) -> String {
    text.trim().lines().map(iota_engine::text::printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(cut_chars("äöü", 3), "äöü");
        assert_eq!(cut_bytes("äöü", 6), "äöü");
        assert_eq!(cut_chars(&"ä".repeat(30), 20), format!("{}... (truncated)", "ä".repeat(5)));
        assert_eq!(cut_bytes(&"ä".repeat(30), 20), "ää... (truncated)");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_its_limit(text in ".{0,60}", limit in 0_usize..50) {
            prop_assert!(cut_chars(&text, limit).chars().count() <= limit);
            prop_assert!(cut_bytes(&text, limit).len() <= limit);
        }
    }
}
