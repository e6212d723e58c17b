//! Text for people: made safe to show, and the word that was probably meant.
//! Knows nothing of where it is shown.

/// Steers a terminal, changes the direction of text, is not seen, or begins a line.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Safe on a terminal and in a log: control and direction-changing characters are shown as escapes.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if is_unsafe(character) { character.escape_unicode().to_string() } else { character.to_string() })
        .collect()
}

/// The same JSON, with such characters as its own escapes: for programs it is the same. `None`: it has none.
pub fn printable_json(json: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(json).ok()?;
    // In a text of JSON no line end can stand; between its lines they do.
    let is_unsafe = |character: char| is_unsafe(character) && character != '\n';
    if !text.contains(is_unsafe) {
        return None;
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            let mut units = [0; 2];
            escaped.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(character);
        }
    }
    Some(escaped.into_bytes())
}

/// The closest of the known words, if one is close enough to be what was meant.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The end of a message about an unknown word: the one that was probably meant, or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    suggestion(word, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, printable, printable_json};

    #[test]
    fn only_close_words_are_suggested() {
        assert_eq!(did_you_mean("treshold", ["enabled", "threshold"]), "; did you mean `threshold`?");
        assert_eq!(did_you_mean("xyz", ["enabled", "threshold"]), "");
    }

    #[test]
    fn terminals_are_not_steered_by_events() {
        assert_eq!(printable("a\u{1b}[31mred\r\n\u{202e}x"), "a\\u{1b}[31mred\\u{d}\\u{a}\\u{202e}x");
        assert_eq!(printable("Zoë ✓"), "Zoë ✓");
        assert_eq!(printable("a\u{2028}\u{61c}"), "a\\u{2028}\\u{61c}");
    }

    #[test]
    fn json_stays_what_it_is_without_what_steers_terminals() {
        let json = "{\"a\":\"\u{9b}2J\u{7f}\u{202e}\u{feff} Zoë \\u001b\",\n\"b\":1}";
        let safe = String::from_utf8(printable_json(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(safe, "{\"a\":\"\\u009b2J\\u007f\\u202e\\ufeff Zoë \\u001b\",\n\"b\":1}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&safe), value(json));
        assert_eq!(printable_json("{\"a\":\"Zoë\"}".as_bytes()), None);
    }
}
