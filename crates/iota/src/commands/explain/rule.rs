//! What is known of a rule from its source: which records it can match, and where that is not known.
//! Runs nothing.

use super::super::reach::Reach;
use super::find::Found;
use anyhow::{Context, bail};
use iota_engine::guard::{Entry, Guard, Guards, Reason};
use iota_engine::text::printable;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};

#[derive(Debug, Serialize)]
pub(super) struct ExplainedRule {
    rule: String,
    pack: String,
    path: String,
    enabled: bool,
    guarded: bool,
    reach: Reach,
    /// Of these one has to hold; empty where there is no index.
    entries: Vec<Entry>,
    /// Where a record is handed to Python, and why.
    reasons: Vec<Reason>,
    hint: Option<&'static str>,
}

impl ExplainedRule {
    pub(super) fn new(found: &Found, index: u16, guards: &Guards) -> anyhow::Result<Self> {
        let rule = found.rule();
        let guard = guards.guard(index).context("internal error: the rule was not analysed, please report it")?;
        if guard.is_syntax_error
            && let Some(reason) = guard.reasons.first()
        {
            let Reason { path, line, why, .. } = found.placed(reason);
            bail!("rule `{}` is not Python: {path}:{line}: {why}", rule.id);
        }
        let reach = Reach::of(guard);
        Ok(Self {
            rule: rule.id.clone(),
            pack: found.pack.name.clone(),
            path: found.directory.join(rule.path()).display().to_string(),
            enabled: rule.enabled,
            guarded: reach.is_guarded(),
            reach,
            entries: guard.entries.clone().unwrap_or_default(),
            reasons: guard.reasons.iter().map(|reason| found.placed(reason)).collect(),
            hint: hint(reach, guard),
        })
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let disabled = if self.enabled { "" } else { ", disabled" };
        writeln!(out, "{} (pack {}{disabled})", printable(&self.rule), printable(&self.pack))?;
        writeln!(out, "  {}\n", printable(&self.path))?;
        match self.reach {
            Reach::NoRecord => writeln!(out, "Guarded: it matches no record of the usual shape.")?,
            Reach::Indexed => {
                let holds = if self.entries.len() == 1 { "this holds" } else { "one of these holds" };
                writeln!(out, "Guarded: only a record for which {holds} is looked at.")?;
                for entry in &self.entries {
                    writeln!(out, "  {}", in_words(entry))?;
                }
                writeln!(out, "It is handed to Python unless the rest of the rule, evaluated natively, is certain to be false.")?;
            }
            Reach::LookedAt => writeln!(
                out,
                "Guarded, without an index: every record is looked at natively, and is handed to Python unless the rule is \
                 certain to be false."
            )?,
            Reach::EveryRecord => writeln!(out, "Not guarded: every record is handed to Python.")?,
        }
        if !self.reasons.is_empty() {
            let what = if self.guarded {
                "Where a record may be left to Python, depending on what it holds"
            } else {
                "What stops the analysis"
            };
            writeln!(out, "\n{what}:")?;
        }
        for reason in &self.reasons {
            write_reason(out, "  ", reason, &reason.why)?;
        }
        match self.hint {
            Some(hint) => writeln!(out, "\nHint: {hint}."),
            None => Ok(()),
        }
    }
}

/// The place of a reason, a remark, and the source line below it.
pub(super) fn write_reason(out: &mut impl Write, indent: &str, reason: &Reason, remark: &str) -> io::Result<()> {
    writeln!(out, "{indent}{}:{}: {}", printable(&reason.path), reason.line, printable(remark))?;
    if reason.source.is_empty() { Ok(()) } else { writeln!(out, "{indent}    {}", printable(&reason.source)) }
}

/// What the author can do about it.
fn hint(reach: Reach, guard: &Guard) -> Option<&'static str> {
    match reach {
        Reach::EveryRecord if guard.is_gap_of_pack => {
            Some("while this is so, no Python of the pack is analysed; write it in another way, or move it to a pack of its own")
        }
        Reach::EveryRecord if !guard.is_analysed() => Some(
            "while this is so, nothing of the rule is analysed; what is followed is one `def rule(event)` at the top level of \
             the file, without a decorator",
        ),
        Reach::EveryRecord if guard.reasons.iter().any(Reason::is_about_a_constant) => Some(
            "write the value as one literal that nothing changes afterwards, e.g. `NAMES = {\"A\", \"B\"}`; or test a field \
             against constants before this",
        ),
        Reach::EveryRecord if guard.reasons.is_empty() => Some(
            "the rule asks nothing of the record; if it is meant for some events only, begin with a test such as \
             `if event.get(\"eventName\") not in (\"A\", \"B\"): return False`",
        ),
        Reach::EveryRecord => Some(
            "test a field against constants before this, e.g. `if event.get(\"eventName\") != \"A\": return False`; what \
             comes after such a test need not be understood",
        ),
        Reach::LookedAt => {
            Some("where every way to a match compares eventName with constants (==, in, startswith), the index finds the records")
        }
        Reach::NoRecord | Reach::Indexed => None,
    }
}

fn in_words(entry: &Entry) -> String {
    let (field, is, texts, more) = match entry {
        Entry::OneOf { field, values } => (field, "is one of", values, ""),
        Entry::OneOfIgnoringCase { field, values } => (field, "is one of", values, ", ignoring case"),
        Entry::StartsWith { field, prefixes } => (field, "starts with one of", prefixes, ""),
    };
    let list = |texts: &BTreeSet<String>| texts.iter().map(|text| printable(text)).collect::<Vec<_>>().join(", ");
    format!("{} {is}: {}{more}", printable(&field.join(".")), list(texts))
}
