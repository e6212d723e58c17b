//! Alerts about rules and packs that are not run as they should be.

use crate::rules::LoadedPack;
use iota_engine::alert::{Origin, Severity};
use iota_engine::rule::Failure;
use iota_engine::system::{QUARANTINE, RULE_ERROR, SystemAlert};
use iota_engine::text::printable;
use iota_python::KILLS;
use serde_json::json;

/// Code points of the kind of an error, and of what it says, that an alert shows; the log and `--stats` have all of it.
const MAX_ERROR_TEXT: usize = 300;

/// A rule is paused because it keeps ending its worker. `origin` is the record that was one too many.
pub(super) fn paused(pack: &LoadedPack, rule: u16, failure: Option<&Failure>, origin: &Origin) -> SystemAlert {
    let (name, rule) = (&pack.pack.name, pack.rule(rule));
    let id = &rule.id;
    let (kind, message) = failure.map_or(("", ""), |failure| (failure.r#type.as_str(), failure.message.as_str()));
    SystemAlert {
        rule: QUARANTINE,
        dedup: format!("{name}/{id}"),
        title: format!("Rule {name}/{id} is paused: it has ended {KILLS} workers"),
        severity: severity(rule.severity),
        description: format!(
            "Calls of rule {name}/{id} ended {KILLS} workers, with fewer than 1,000 calls in a row that did not; the last time: \
             {}. It is not run for a while. Calls that are left out are kept, and run by themselves later; records on which it ended \
             a worker are kept, and not run again by themselves.",
            start(message)
        ),
        runbook: "Look at the records (`iota run --stats` and the log name the first; state keeps all), mend the rule, then run \
                  `iota rerun --errors --rule RULE`. Records made to look like this may be an attack on the rule.",
        context: json!({
            "pack": name, "rule": id, "workers_ended": KILLS, "error": kind, "message": message,
            "object": origin.object, "record": origin.record,
        }),
    }
}

/// A pack is paused as a whole. `why` ends a sentence.
pub(super) fn pack_paused(pack: &LoadedPack, why: &str) -> SystemAlert {
    let name = &pack.pack.name;
    SystemAlert {
        rule: QUARANTINE,
        dedup: format!("{name} (pack)"),
        title: format!("Pack {name} is paused, with all of its rules"),
        severity: severity_of_pack(pack),
        description: format!(
            "None of the {} rules of pack {name} is run for a while: {why}. Calls that are left out are kept, and run by \
             themselves later; other packs go on. If any are left out after that, a further alert says how many.",
            pack.runnable.len()
        ),
        runbook: MEND_PACK,
        context: json!({"pack": name, "rules": pack.runnable.len(), "reason": why}),
    }
}

/// So many calls of a pack wait, after what could be run again was.
pub(super) fn pack_left_out(pack: &LoadedPack, calls: u64) -> SystemAlert {
    let name = &pack.pack.name;
    SystemAlert {
        rule: QUARANTINE,
        dedup: format!("{name} (pack) left out"),
        title: format!("{calls} calls of pack {name} were left out"),
        severity: severity_of_pack(pack),
        description: format!(
            "Pack {name} is paused. {calls} calls of its {} rules are kept, and were not run so far: what the rules look for may be \
             among them.",
            pack.runnable.len()
        ),
        runbook: MEND_PACK,
        context: json!({"pack": name, "rules": pack.runnable.len(), "calls": calls}),
    }
}

const MEND_PACK: &str = "Look at the log, and try `iota check DIR` and `iota test DIR` where iota runs: Python, or what the pack \
                         does when it is imported, may have changed. Mend it; `iota watch` then runs what was left out by \
                         itself, elsewhere `iota rerun --errors` does.";

/// So many calls of a rule wait, after what could be run again was.
pub(super) fn left_out(pack: &LoadedPack, rule: u16, calls: u64) -> SystemAlert {
    let (name, rule) = (&pack.pack.name, pack.rule(rule));
    let id = &rule.id;
    SystemAlert {
        rule: QUARANTINE,
        dedup: format!("{name}/{id} left out"),
        title: format!("{calls} calls of rule {name}/{id} were left out"),
        severity: severity(rule.severity),
        description: format!(
            "{calls} calls of rule {name}/{id} are kept, and were not run so far: what the rule looks for may be among them. The \
             log says why: as a rule it is paused, because it ends its worker."
        ),
        runbook: "Mend the rule; `iota watch` then runs what was left out by itself, elsewhere `iota rerun --errors --rule RULE` \
                  does.",
        context: json!({"pack": name, "rule": id, "calls": calls}),
    }
}

/// A function of a rule raised, or gave the wrong type, on the record of `origin`. The failures of a day are one alert, with
/// the first of them.
pub(super) fn failing(pack: &LoadedPack, rule: u16, function: &str, failure: &Failure, origin: &Origin) -> SystemAlert {
    let (name, rule) = (&pack.pack.name, pack.rule(rule));
    let id = &rule.id;
    let (kind, message) = (start(&failure.r#type), start(&failure.message));
    SystemAlert {
        rule: RULE_ERROR,
        dedup: format!("{name}/{id}"),
        title: format!("Rule {name}/{id} fails: {kind} in {function}()"),
        severity: if rule.severity >= Some(Severity::High) { Severity::High } else { Severity::Medium },
        description: format!(
            "{function}() of rule {name}/{id} failed on record {} of {} with {kind}: {message}. What the rule looks for may be \
             among the records that it fails on; they are kept. This is told once a day; the count of the alert grows with \
             each failure.",
            origin.record, origin.object
        ),
        runbook: "`iota alerts list --rule iota.system.rule-error` says how often rules have failed. Mend the rule, then run \
                  `iota rerun --errors --rule RULE`.",
        context: json!({
            "pack": name, "rule": id, "function": function, "error": kind, "message": message,
            "path": failure.path, "line": failure.line, "object": origin.object, "record": origin.record,
        }),
    }
}

fn severity_of_pack(pack: &LoadedPack) -> Severity {
    severity(pack.runnable.iter().filter_map(|&rule| pack.rule(rule).severity).max())
}

/// What an error says, made safe to show. It is the rule's text, or even that of a record.
fn start(text: &str) -> String {
    printable(text).chars().take(MAX_ERROR_TEXT).collect()
}

/// Whoever is paged for a rule is paged for its absence.
fn severity(of_rule: Option<Severity>) -> Severity {
    if of_rule >= Some(Severity::High) { Severity::Critical } else { Severity::High }
}
