//! Tells how many alerts the storm limit held back: one summary for each output, rule and hour.

use super::shared::{Shared, To};
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::store::{Limited, Result};
use iota_engine::system::{STORM, SystemAlert};
use serde_json::json;
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
            new += sum_up_hour(shared, self.next_ms, self.next_ms + HOUR_MS).await?;
            self.next_ms += HOUR_MS;
        }
        if all {
            let mut from_ms = self.next_ms;
            while from_ms <= now {
                new += sum_up_hour(shared, from_ms, from_ms + HOUR_MS).await?;
                from_ms += HOUR_MS;
            }
        }
        Ok(new)
    }
}

fn hour_of(ms: i64) -> i64 {
    ms - ms.rem_euclid(HOUR_MS)
}

async fn sum_up_hour(shared: &Arc<Shared>, from_ms: i64, until_ms: i64) -> Result<u64> {
    let mut new = 0;
    for limited in shared.ask(move |store| store.limited_between(from_ms, until_ms)).await? {
        let alert = summary(&limited, from_ms, shared.policy.limit_of(&limited.output));
        new += u64::from(shared.raise_to(alert, To::Only(&limited.output), from_ms).await?);
    }
    Ok(new)
}

fn summary(limited: &Limited, from_ms: i64, limit: u64) -> SystemAlert {
    let Limited { output, pack, rule, count } = limited;
    let from = format_ms(from_ms);
    SystemAlert {
        rule: STORM,
        dedup: format!("{output} {pack}/{rule} {from} {count}"),
        title: format!("{count} more alerts of rule {rule} were not sent here"),
        severity: Severity::Medium,
        description: format!(
            "Rule {rule} sent {limit} alerts to output {output} within an hour, which is the limit. In the hour from {from} \
             {count} more were held back. They are kept and listed."
        ),
        runbook: "`iota alerts list --rule RULE` lists them, `iota alerts resend ID` sends one. A rule that alerts so often needs a \
                  threshold, another dedup key, or a suppression.",
        context: json!({"output": output, "pack": pack, "rule": rule, "hour": from, "held_back": count}),
    }
}
