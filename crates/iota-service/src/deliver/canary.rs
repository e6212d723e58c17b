//! A test alert at an interval through each output; when one does not arrive, other outputs are told.

use super::shared::{Shared, To};
use iota_engine::alert::Severity;
use iota_engine::event::format_ms;
use iota_engine::store::{AlertFilter, DeliveryState, Result};
use iota_engine::system::{CANARY, CANARY_ABSENT, SystemAlert};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// When canaries are sent, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySchedule {
    pub every: Duration,
    /// Names of outputs.
    pub outputs: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Canaries {
    schedule: CanarySchedule,
    /// Number of the interval, since 1970, that was served last.
    served: i64,
}

impl Canaries {
    pub(super) fn new(schedule: CanarySchedule) -> Self {
        Self { schedule, served: i64::MIN }
    }

    /// In each interval once: sends a canary through each output, and looks what became of the one before.
    pub(super) async fn tick(&mut self, shared: &Arc<Shared>) -> Result<()> {
        let every_ms = i64::try_from(self.schedule.every.as_millis()).unwrap_or(i64::MAX).max(1);
        let interval = shared.now_ms().div_euclid(every_ms);
        if interval <= self.served {
            return Ok(());
        }
        for output in &self.schedule.outputs {
            if is_missing(shared, output, interval - 1, every_ms).await? {
                raise_absence(shared, output, (interval - 1) * every_ms).await?;
            }
            // The same for all loops on one store and after a restart.
            shared.raise_to(canary(output, interval), To::Only(output), interval * every_ms).await?;
        }
        self.served = interval;
        Ok(())
    }
}

fn dedup(output: &str, interval: i64) -> String {
    format!("{output} {interval}")
}

fn canary(output: &str, interval: i64) -> SystemAlert {
    SystemAlert {
        rule: CANARY,
        dedup: dedup(output, interval),
        title: format!("iota canary: output {output} works"),
        severity: Severity::Info,
        description: "Sent at an interval to show that alerts arrive here. Nothing has happened.".to_owned(),
        runbook: "Nothing is to be done. When canaries stop arriving, alerts do not arrive either.",
        context: json!({"output": output}),
    }
}

/// Whether the canary of an interval was made and did not get through. One that was never made, because iota did not run,
/// says nothing of the output.
async fn is_missing(shared: &Arc<Shared>, output: &str, interval: i64, every_ms: i64) -> Result<bool> {
    let (dedup, output) = (dedup(output, interval), output.to_owned());
    let filter =
        AlertFilter { rule: Some(CANARY.to_owned()), since_ms: Some((interval - 1) * every_ms), ..AlertFilter::default() };
    shared
        .ask(move |store| {
            let Some(alert) = store.alerts(&filter)?.into_iter().find(|alert| alert.dedup == dedup) else { return Ok(false) };
            let deliveries = store.deliveries(&alert.alert_id)?;
            Ok(!deliveries.iter().any(|delivery| delivery.id.output == output && delivery.state == DeliveryState::Delivered))
        })
        .await
}

async fn raise_absence(shared: &Arc<Shared>, output: &str, sent_ms: i64) -> Result<()> {
    let alert = SystemAlert {
        rule: CANARY_ABSENT,
        dedup: output.to_owned(),
        title: format!("The canary of output {output} did not get through"),
        severity: Severity::High,
        description: format!(
            "The canary of {} was not delivered by the time of the next one. Alerts for this output wait, too.",
            format_ms(sent_ms)
        ),
        runbook: "`iota outputs list` shows what waits and why; `iota outputs test NAME` tries the output.",
        context: json!({"output": output, "canary": format_ms(sent_ms)}),
    };
    tracing::error!("{}", alert.title);
    shared.raise_to(alert, To::AllBut(output), shared.now_ms()).await?;
    Ok(())
}
