//! Text for people: made safe to show, and the word that was probably meant.
//! Knows nothing of where it is shown.

/// Steers a terminal or changes the direction of text.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Safe on a terminal and in a log: control and direction-changing characters are shown as escapes.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if is_unsafe(character) { character.escape_unicode().to_string() } else { character.to_string() })
        .collect()
}

/// The closest of the known words, if one is close enough to be what was meant.
fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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
    use super::{did_you_mean, printable};

    #[test]
    fn only_close_words_are_suggested() {
        assert_eq!(did_you_mean("treshold", ["enabled", "threshold"]), "; did you mean `threshold`?");
        assert_eq!(did_you_mean("xyz", ["enabled", "threshold"]), "");
    }

    #[test]
    fn terminals_are_not_steered_by_events() {
        assert_eq!(printable("a\u{1b}[31mred\r\n\u{202e}x"), "a\\u{1b}[31mred\\u{d}\\u{a}\\u{202e}x");
        assert_eq!(printable("Zoë ✓"), "Zoë ✓");
    }
}
