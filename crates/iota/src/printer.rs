//! Alerts on standard output. The only place that prints them.

use crate::args::AlertFormat;
use crate::environment;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use iota_engine::alert::Severity;
use iota_engine::text::{printable, printable_json};
use iota_service::pipeline::AlertSink;
use serde::{Deserialize, Serialize};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

pub(crate) struct Printer {
    format: AlertFormat,
    /// Write every alert at once: somebody may be waiting for it.
    flush: bool,
    out: BufWriter<Stdout>,
    /// Whoever reads is a terminal, which text in alerts must not steer.
    terminal: bool,
    rows: Vec<(Severity, Row)>,
    printed: u64,
}

/// What a table shows of an alert.
#[derive(Debug, Deserialize)]
struct Row {
    rule_id: String,
    title: String,
    count: u64,
    first_seen: String,
    account_id: Option<String>,
    actor: Option<String>,
}

impl Printer {
    pub(crate) fn new(format: AlertFormat, flush: bool) -> Self {
        let (out, terminal) = (BufWriter::new(io::stdout()), io::stdout().is_terminal());
        Self { format, flush, out, terminal, rows: Vec::new(), printed: 0 }
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self.format {
            AlertFormat::Jsonl => {}
            AlertFormat::Json if self.printed == 0 => writeln!(self.out, "[]")?,
            AlertFormat::Json => writeln!(self.out, "\n]")?,
            AlertFormat::Table => self.table()?,
        }
        self.out.flush()
    }

    fn table(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return writeln!(self.out, "no alerts");
        }
        let color = io::stdout().is_terminal() && !environment::no_color();
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["FIRST SEEN", "SEVERITY", "RULE", "TITLE", "ACTOR", "ACCOUNT", "COUNT"]);
        for (severity, row) in &self.rows {
            let text = |text: &Option<String>| printable(text.as_deref().unwrap_or("-"));
            let severity_cell = Cell::new(severity.as_str());
            table.add_row([
                Cell::new(row.first_seen.get(..19).unwrap_or(&row.first_seen)),
                if color { severity_cell.fg(color_of(*severity)) } else { severity_cell },
                Cell::new(printable(&row.rule_id)),
                Cell::new(printable(&row.title)),
                Cell::new(text(&row.actor)),
                Cell::new(text(&row.account_id)),
                Cell::new(row.count),
            ]);
        }
        writeln!(self.out, "{table}")
    }
}

impl AlertSink for Printer {
    fn alert(&mut self, json: &[u8], severity: Severity) -> io::Result<()> {
        let escaped = self.terminal.then(|| printable_json(json)).flatten();
        let json = escaped.as_deref().unwrap_or(json);
        match self.format {
            AlertFormat::Jsonl => {
                self.out.write_all(json)?;
                self.out.write_all(b"\n")?;
            }
            AlertFormat::Json => {
                self.out.write_all(if self.printed == 0 { b"[\n" } else { b",\n" })?;
                self.out.write_all(json)?;
            }
            AlertFormat::Table => self.rows.push((severity, serde_json::from_slice(json)?)),
        }
        self.printed += 1;
        if self.flush { self.out.flush() } else { Ok(()) }
    }
}

/// Writes a value as JSON, on one line or, with `pretty`, on several. It steers no terminal: for programs it is the same.
pub(crate) fn write_json(out: &mut impl Write, value: &impl Serialize, pretty: bool) -> io::Result<()> {
    let json = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) }?;
    out.write_all(&printable_json(&json).unwrap_or(json))?;
    out.write_all(b"\n")
}

fn color_of(severity: Severity) -> Color {
    match severity {
        Severity::Critical => Color::Red,
        Severity::High => Color::DarkRed,
        Severity::Medium => Color::Yellow,
        Severity::Low => Color::Cyan,
        Severity::Info => Color::Grey,
    }
}

/// A number with its noun. What says more of the noun comes after a `|`: `alert| without an output`.
pub(crate) fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let (noun, more) = what.split_once('|').unwrap_or((what, ""));
    match (count.try_into().unwrap_or(u64::MAX), noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}{more}"),
        (count, Some(stem)) => format!("{count} {stem}ies{more}"),
        // "match" is the one noun here that takes "es".
        (count, None) if noun.ends_with("ch") => format!("{count} {noun}es{more}"),
        (count, None) => format!("{count} {noun}s{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn nouns_follow_their_number() {
        for (count, what, expected) in [
            (1, "delivery", "1 delivery"),
            (2, "delivery", "2 deliveries"),
            (0, "match", "0 matches"),
            (3, "alert| without an output", "3 alerts without an output"),
            (1, "alert| without an output", "1 alert without an output"),
        ] {
            assert_eq!(counted(count, what), expected);
        }
    }

    #[test]
    fn json_steers_no_terminal() {
        let mut lines = Vec::new();
        super::write_json(&mut lines, &serde_json::json!({"a": "\u{9b}\n"}), true).expect("written");
        assert_eq!(String::from_utf8(lines).expect("text"), "{\n  \"a\": \"\\u009b\\n\"\n}\n");
    }
}
