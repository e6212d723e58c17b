//! ArcSight Common Event Format, revision 25: one line of text.

use super::Alert;
use super::text::{cut_chars, one_line};
use iota_engine::alert::Severity;
use std::net::IpAddr;

/// The alert on one line. Whoever sends it cuts it to what the other side takes.
pub fn render(alert: &Alert<'_>) -> String {
    let header = |text: &str, limit: usize| cut_chars(&one_line(text), limit).replace('\\', r"\\").replace('|', r"\|");
    let severity = match alert.severity() {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let mut line = format!(
        "CEF:0|iota|iota|{}|{}|{}|{severity}|",
        header(&alert.text("engine_version"), 31),
        header(&alert.text("rule_id"), 1023),
        header(&alert.title(), 512),
    );
    let extension: Vec<String> = extension(alert).into_iter().map(|(key, value)| format!("{key}={}", escaped(&value))).collect();
    line.push_str(&extension.join(" "));
    line
}

/// A value of the extension: what ends a value or a line is escaped, other control characters are shown.
fn escaped(value: &str) -> String {
    let lines = value
        .trim()
        .split(['\n', '\r'])
        .map(|line| iota_engine::text::printable(&line.replace('\t', " ")).replace('\\', r"\\").replace('=', r"\="));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(r"\n")
}

/// Keys and values, with the lengths that the format gives them.
fn extension(alert: &Alert<'_>) -> Vec<(&'static str, String)> {
    let text = |field: &str, limit: usize| cut_chars(&alert.text(field), limit);
    let event = |path: &[&str], limit: usize| alert.event_text(path).map(|text| cut_chars(&text, limit)).unwrap_or_default();
    let time = |field: &str| alert.time_ms(field).map(|ms| ms.to_string()).unwrap_or_default();
    let source = text("source_ip", 1023);
    let (ip4, ip6, host) = match source.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => (ip.to_string(), String::new(), String::new()),
        Ok(IpAddr::V6(ip)) => (String::new(), ip.to_string(), String::new()),
        Err(_) => (String::new(), String::new(), source),
    };
    let labelled = |value: &str, label: &str| if value.is_empty() { String::new() } else { label.to_owned() };
    let (account, region, agent) = (text("account_id", 1023), text("region", 1023), event(&["userAgent"], 1023));
    let (pack, attack) = (text("pack", 1023), alert.list("attack").join(" "));
    let all = [
        ("externalId", cut_chars(alert.known_as, 40)),
        ("rt", time("detected_at")),
        ("start", time("first_seen")),
        ("end", time("last_seen")),
        ("cnt", alert.count().to_string()),
        ("act", event(&["eventName"], 63)),
        ("outcome", if event(&["errorCode"], 63).is_empty() { "success" } else { "failure" }.to_owned()),
        ("reason", event(&["errorCode"], 1023)),
        ("suser", text("actor", 1023)),
        ("src", ip4),
        ("c6a2Label", labelled(&ip6, "Source IPv6 Address")),
        ("c6a2", ip6),
        ("shost", host),
        ("requestClientApplication", agent),
        ("cs1Label", labelled(&account, "account")),
        ("cs1", account),
        ("cs2Label", labelled(&region, "region")),
        ("cs2", region),
        ("cs3Label", labelled(&pack, "pack")),
        ("cs3", pack),
        ("cs4Label", labelled(&attack, "attack")),
        ("cs4", cut_chars(&attack, 1023)),
        ("msg", text("description", 1023)),
    ];
    all.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect()
}
