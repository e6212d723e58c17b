//! Tells how many alerts the storm limit held back: a summary for each output, rule and hour. When more is held back after one
//! was made, as at the end of several runs in an hour, another one tells how many more.

use super::shared::{Shared, To};
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::store::{AlertFilter, Limited, Result, StoredAlert};
use iota_engine::system::{STORM, SystemAlert};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How long after its end an hour is summed up: what was held back in it is settled by then, by other processes, too, and so
/// is a clock that is a little slow.
const SETTLED_MS: i64 = 60 * 1000;
/// How far back summaries are made up for after a stop.
const LOOK_BACK_HOURS: i64 = 24;

/// Hours that were summed up.
#[derive(Debug)]
pub(super) struct Storms {
    /// The next hour to sum up starts then.
    next_ms: i64,
}

impl Storms {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { next_ms: hour_of(now_ms) - LOOK_BACK_HOURS * HOUR_MS }
    }

    /// Sums up the hours that have ended a while ago, and with `all` those that have not. Summing up an hour again changes nothing,
    /// unless more was held back in it meanwhile. Returns how many summaries are new.
    pub(super) async fn sum_up(&mut self, shared: &Arc<Shared>, all: bool) -> Result<u64> {
        let now = shared.now_ms();
        let mut new = 0;
        while self.next_ms + HOUR_MS + SETTLED_MS <= now {
            new += sum_up_hour(shared, self.next_ms).await?;
            self.next_ms += HOUR_MS;
        }
        if all {
            let mut from_ms = self.next_ms;
            while from_ms <= now {
                new += sum_up_hour(shared, from_ms).await?;
                from_ms += HOUR_MS;
            }
        }
        Ok(new)
    }
}

fn hour_of(ms: i64) -> i64 {
    ms - ms.rem_euclid(HOUR_MS)
}

async fn sum_up_hour(shared: &Arc<Shared>, from_ms: i64) -> Result<u64> {
    let all = shared.ask(move |store| store.limited_between(from_ms, from_ms + HOUR_MS)).await?;
    if all.is_empty() {
        return Ok(0);
    }
    let filter = AlertFilter { rule: Some(STORM.to_owned()), since_ms: Some(from_ms), ..AlertFilter::default() };
    let summaries: Vec<Json> = shared.ask(move |store| store.alerts(&filter)).await?.iter().filter_map(context_of).collect();
    let mut new = 0;
    for limited in all {
        let told = told(&summaries, &context(&limited, from_ms));
        if limited.count <= told {
            continue;
        }
        let limit = shared.policy.limit_of(&limited.output);
        let is_over = shared.now_ms() >= from_ms + HOUR_MS;
        let alert = summary(&limited, told, from_ms, limit, is_over);
        new += u64::from(shared.raise_to(alert, To::Only(&limited.output), from_ms).await?);
    }
    Ok(new)
}

fn context_of(summary: &StoredAlert) -> Option<Json> {
    Some(serde_json::from_slice::<Json>(&summary.json).ok()?.get_mut("context")?.take())
}

/// How many of them earlier summaries of the hour have told.
fn told(summaries: &[Json], of_hour: &Json) -> u64 {
    let told = |summary: &Json| {
        let is_same = of_hour.as_object()?.iter().all(|(key, value)| summary.get(key) == Some(value));
        summary.get(HELD_BACK)?.as_u64().filter(|_| is_same)
    };
    summaries.iter().filter_map(told).max().unwrap_or(0)
}

/// Counts what was held back in the hour so far.
const HELD_BACK: &str = "held_back";

/// Which hour of which rule and output a summary is about.
fn context(Limited { output, pack, rule, .. }: &Limited, from_ms: i64) -> Json {
    json!({"output": output, "pack": pack, "rule": rule, "hour": format_ms(from_ms)})
}

/// `told`: of the count, how many were told before.
fn summary(limited: &Limited, told: u64, from_ms: i64, limit: u64, is_over: bool) -> SystemAlert {
    let Limited { output, pack, rule, count } = limited;
    let from = format_ms(from_ms);
    let hour = format!("{}Z", from.get(..16).unwrap_or(&from));
    let new = count - told;
    let (alerts, were) = if new == 1 { ("alert", "was") } else { ("alerts", "were") };
    let in_all = if told > 0 { format!(", {count} in all,") } else { String::new() };
    let so_far = if is_over { "" } else { " so far" };
    let mut context = context(limited, from_ms);
    context[HELD_BACK] = json!(count);
    SystemAlert {
        rule: STORM,
        dedup: format!("{output} {pack}/{rule} {from} {count}"),
        title: format!("{new} more {alerts} of rule {rule} {were} not sent here{in_all} in the hour from {hour}{so_far}"),
        severity: Severity::Medium,
        description: format!(
            "Rule {rule} sent {limit} alerts to output {output} within an hour, which is the limit. In the hour from {from} \
             {count} more were held back{so_far}. They are kept and listed."
        ),
        runbook: "`iota alerts list --rule RULE` lists them, `iota alerts resend ID` sends one. A rule that alerts so often needs a \
                  threshold, another dedup key, or a suppression.",
        context,
    }
}
