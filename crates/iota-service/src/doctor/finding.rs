//! What a check has found, and what would mend it.

use crate::aws::Remedy;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// Works, and may cost something one day; or could not be checked.
    Warning,
    /// Does not work.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// What was looked at: a URL, an ARN, a path, a name.
    pub subject: String,
    pub level: Level,
    pub found: String,
    pub remedies: Vec<Remedy>,
}

impl Finding {
    fn new(level: Level, check: &'static str, subject: &str, found: impl Into<String>) -> Self {
        Self { check, subject: subject.to_owned(), level, found: found.into(), remedies: Vec::new() }
    }

    pub(super) fn ok(check: &'static str, subject: &str, found: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, subject, found)
    }

    pub(super) fn warning(check: &'static str, subject: &str, found: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, subject, found)
    }

    pub(super) fn failed(check: &'static str, subject: &str, found: impl Into<String>) -> Self {
        Self::new(Level::Failed, check, subject, found)
    }

    pub(super) fn with(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    pub(super) fn setting(self, text: impl Into<String>) -> Self {
        self.with([Remedy::Setting(text.into())])
    }
}

/// Where checks tell what they find.
pub(super) struct Report<'a>(&'a mut dyn FnMut(Finding));

impl<'a> Report<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(Finding)) -> Self {
        Self(tell)
    }

    pub(super) fn tell(&mut self, finding: Finding) {
        (self.0)(finding);
    }

    /// Waits for part of a check, and tells when that takes too long.
    /// The work is on the heap at once: futures of the SDK are large, and checks hold many.
    pub(super) fn within<T>(
        &mut self,
        limit: Duration,
        check: &'static str,
        subject: &str,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Option<T>> {
        let work = Box::pin(work);
        async move {
            if let Ok(done) = tokio::time::timeout(limit, work).await {
                return Some(done);
            }
            let found = format!("no answer within {} s", limit.as_secs());
            let hint = "let this machine reach the service: route, DNS, proxy (HTTPS_PROXY), interface endpoint";
            self.tell(Finding::failed(check, subject, found).setting(hint));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_given_up_and_told() {
        let mut told = Vec::new();
        let mut tell = |finding: Finding| told.push(finding);
        let mut report = Report::new(&mut tell);
        let limit = Duration::from_secs(30);
        assert_eq!(report.within(limit, "queue", "q", std::future::pending::<()>()).await, None);
        assert_eq!(report.within(limit, "queue", "q", async { 7 }).await, Some(7));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].level, told[0].found.as_str()), (Level::Failed, "no answer within 30 s"));
        assert!(matches!(&told[0].remedies[..], [Remedy::Setting(_)]));
    }
}
