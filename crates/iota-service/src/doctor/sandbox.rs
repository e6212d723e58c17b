//! What rules are kept from.

use super::Plan;
use super::finding::{Finding, Report};
use iota_python::{Sandbox, SandboxMode};

const CHECK: &str = "sandbox";

pub(super) fn check(plan: &Plan<'_>, report: &mut Report<'_>) {
    let mode = plan.settings.sandbox.value;
    let subject = format!("--sandbox={mode}");
    report.tell(match Sandbox::prepare(mode) {
        Err(error) => Finding::failed(CHECK, &subject, error.to_string())
            .setting("let the container have the seccomp system call (Kubernetes: seccompProfile RuntimeDefault)"),
        Ok(_) if mode == SandboxMode::Off => {
            let found = "rules can read files, open connections and start processes as the user of iota can";
            Finding::warning(CHECK, &subject, found).setting("leave --sandbox away, or set it to auto or strict")
        }
        Ok(sandbox) => {
            let level = sandbox.level();
            let found = format!("rules are confined by {level}");
            Finding::ok(CHECK, &subject, found)
        }
    });
}
