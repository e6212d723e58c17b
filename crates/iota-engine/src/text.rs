//! Text from events and rules, made safe to show.
//! Knows nothing of where it is shown.

/// Safe on a terminal and in a log: control and direction-changing characters are shown as escapes.
pub fn printable(text: &str) -> String {
    let unsafe_character = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.chars()
        .map(|character| if unsafe_character(character) { character.escape_unicode().to_string() } else { character.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn terminals_are_not_steered_by_events() {
        assert_eq!(printable("a\u{1b}[31mred\r\n\u{202e}x"), "a\\u{1b}[31mred\\u{d}\\u{a}\\u{202e}x");
        assert_eq!(printable("Zoë ✓"), "Zoë ✓");
    }
}
