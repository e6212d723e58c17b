//! Reading YAML, with errors that name the line and the likely key.
//! Knows no particular file.

use serde::de::DeserializeOwned;

/// Why a YAML file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// From 1; 0 when unknown.
    pub line: u64,
    pub message: String,
    /// The error is a key that nothing reads.
    pub unknown_key: bool,
}

/// Reads one document. Unknown keys are errors where the type denies them.
pub fn from_yaml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, YamlError> {
    let text = str::from_utf8(bytes).map_err(|error| YamlError {
        line: memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() as u64 + 1,
        message: "not valid UTF-8".to_owned(),
        unknown_key: false,
    })?;
    // An account id may start with a zero.
    let options = serde_saphyr::options! { with_snippet: false, leading_zero_numbers_as_strings: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let message = error.without_snippet().render();
        // The line is reported apart.
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text).to_owned();
        let (message, unknown_key) = unknown_field(&message).map_or((message, false), |message| (message, true));
        YamlError { line, message, unknown_key }
    })
}

/// Rewords the YAML reader's message about an unknown field, with the closest known one.
fn unknown_field(message: &str) -> Option<String> {
    let rest = &message[message.find("unknown field `")? + "unknown field `".len()..];
    let (name, rest) = rest.split_once('`')?;
    let known = rest.trim_start_matches(", expected one of ").split(" at line ").next().unwrap_or_default().split(", ");
    Some(match suggestion(name, known) {
        Some(known) => format!("unknown key `{name}`; did you mean `{known}`?"),
        None => format!("unknown key `{name}`"),
    })
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
