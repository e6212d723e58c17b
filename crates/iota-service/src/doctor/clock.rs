//! This machine's clock against the one in AWS's answers.

use super::finding::{Finding, Report};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use std::sync::{Arc, Mutex, PoisonError};

/// Above this AWS refuses what is signed (Signature Version 4; Amazon S3 allows 15 minutes).
const REFUSED_SECONDS: i64 = 5 * 60;
/// NTP keeps a clock far closer than this.
const LOOSE_SECONDS: i64 = 30;

/// Reads the `Date` of an answer, whatever else it says.
#[derive(Debug, Clone, Default)]
pub(super) struct Dates(Arc<Mutex<Option<i64>>>);

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "Dates"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(|text| rfc2822::parse(text).ok());
        if let Some(date) = date {
            let ahead = Timestamp::now().as_second() - date.timestamp().as_second();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}

impl Dates {
    /// Tells how far ahead this clock is, give or take the second of the header.
    pub(super) fn check(&self, service: &str, report: &mut Report<'_>) {
        let Some(ahead) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        report.tell(judge(service, ahead));
    }
}

fn judge(service: &str, ahead: i64) -> Finding {
    let found = match ahead {
        -1..=1 => "is that of AWS".to_owned(),
        2.. => format!("is {ahead} s ahead of AWS"),
        _ => format!("is {} s behind AWS", -ahead),
    };
    let mend = "set the clock of this machine, and keep it with NTP (chrony with 169.254.169.123 on EC2)";
    match ahead.abs() {
        REFUSED_SECONDS.. => Finding::failed("clock", service, format!("{found}: AWS refuses what it signs")).setting(mend),
        LOOSE_SECONDS.. => Finding::warning("clock", service, found).setting(mend),
        _ => Finding::ok("clock", service, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_clock_is_judged_by_what_aws_takes() {
        for (ahead, level) in [
            (0, Level::Ok),
            (29, Level::Ok),
            (-30, Level::Warning),
            (299, Level::Warning),
            (300, Level::Failed),
            (-9000, Level::Failed),
        ] {
            assert_eq!(judge("sts", ahead).level, level, "{ahead}");
        }
        assert_eq!(judge("sts", -40).found, "is 40 s behind AWS");
    }
}
