//! The outputs: whether their configuration resolves, their secrets are there, and their host takes a connection. Nothing is
//! sent; `iota outputs test` does that.

use super::finding::{Finding, Report};
use super::{PATIENCE, Plan};
use crate::aws::Remedy;
use crate::output::OutputFile;
use crate::output::config::{Endpoint, OutputError};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CHECK: &str = "output";
const CONNECT: Duration = Duration::from_secs(5);

pub(super) async fn check(plan: &Plan<'_>, report: &mut Report<'_>) {
    if plan.settings.outputs.is_empty() {
        report.tell(Finding::ok(CHECK, "outputs", "none are configured: alerts go to standard output"));
        return;
    }
    for finding in alarms(&plan.settings.outputs) {
        report.tell(finding);
    }
    for (name, file) in &plan.settings.outputs {
        let subject = format!("outputs.{name}");
        let building = file.build(name, &plan.surroundings);
        let Some(built) = report.within(PATIENCE, CHECK, &subject, building).await else { continue };
        if let Err(error) = built {
            report.tell(unresolved(&subject, &error));
            continue;
        }
        reach(plan, &subject, file, report).await;
    }
}

/// That an output fails, or that its canary does not get through, is told through another one. Is there one that calls
/// somebody?
fn alarms(outputs: &BTreeMap<String, OutputFile>) -> Vec<Finding> {
    let mend = "add an output that calls somebody by another way, such as `second: {type: slack, url: 'env:SLACK_URL'}`, to \
                `outputs:` of iota.yaml";
    let lacking = |(name, file): (&String, &OutputFile)| {
        let others: Vec<_> = outputs.iter().filter(|(other, _)| *other != name).collect();
        if is_read_later(file) || others.iter().any(|(_, other)| !is_read_later(other)) {
            return None;
        }
        let who = others.iter().map(|(name, file)| format!("{name} ({})", file.kind())).collect::<Vec<_>>().join(", ");
        let who =
            if who.is_empty() { "nobody is told: there is no other output".to_owned() } else { format!("only {who} is told") };
        let found = format!("when {name} fails, or its canary does not get through, {who}");
        Some(Finding::warning(CHECK, &format!("outputs.{name}"), found).setting(mend))
    };
    outputs.iter().filter_map(lacking).collect()
}

/// It keeps alerts, and calls nobody.
fn is_read_later(file: &OutputFile) -> bool {
    matches!(file.kind(), "stdout" | "file" | "s3")
}

fn unresolved(subject: &str, error: &OutputError) -> Finding {
    let finding = Finding::failed(CHECK, subject, error.to_string());
    let OutputError::Secret { reference, why } = error else { return finding.setting("mend the configuration of the output") };
    if let Some(secret) = reference.strip_prefix("secretsmanager:").filter(|_| why.contains("AccessDenied")) {
        let arn = secret.split('#').next().unwrap_or(secret);
        let statement = json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn});
        let policy =
            "policy of the identity that iota runs as; kms:Decrypt as well where the secret has a key of its own".to_owned();
        return finding.with([Remedy::Statement { policy, statement }]);
    }
    finding.setting(match reference.split(':').next() {
        Some("env") => format!("set the variable of {reference} for the process"),
        Some("file") => format!("mount the file of {reference}, readable for the user that iota runs as"),
        _ => "make the secret, or mend the reference to it".to_owned(),
    })
}

async fn reach(plan: &Plan<'_>, subject: &str, file: &OutputFile, report: &mut Report<'_>) {
    let kind = file.kind();
    if let Some((action, resource)) = file.permission() {
        let found = format!("{kind} is configured; {action} on {resource} is not tried, which `iota outputs test` does");
        report.tell(Finding::ok(CHECK, subject, found));
        return;
    }
    let endpoints = match report.within(PATIENCE, CHECK, subject, file.endpoints(&plan.surroundings)).await {
        Some(Ok(endpoints)) => endpoints,
        Some(Err(error)) => return report.tell(unresolved(subject, &error)),
        None => return,
    };
    if endpoints.is_empty() {
        report.tell(Finding::ok(CHECK, subject, format!("{kind} is configured; nothing is sent by this command")));
    }
    for Endpoint { host, port, by_proxy } in endpoints {
        if by_proxy {
            let found =
                format!("{kind}: {host}:{port} is reached through a proxy, which was not tried; `iota outputs test` does");
            report.tell(Finding::ok(CHECK, subject, found));
            continue;
        }
        report.tell(match timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await {
            Ok(Ok(_)) => {
                let found = format!("{kind}: {host}:{port} takes connections; no alert was sent, which `iota outputs test` does");
                Finding::ok(CHECK, subject, found)
            }
            refused => {
                let why = refused.map_or_else(
                    |_| format!("no answer within {} s", CONNECT.as_secs()),
                    |refused| refused.map_or_else(|why| why.to_string(), |_| String::new()),
                );
                Finding::failed(CHECK, subject, format!("{kind}: {host}:{port} is not reached: {why}"))
                    .setting("check the address; let this machine reach it: route, DNS, firewall, proxy (HTTPS_PROXY)")
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::output::config::read;

    #[test]
    fn alarms_about_an_output_need_another_one_that_calls_somebody() {
        let pager = "pager: {type: webhook, url: 'https://pager.example.com'}";
        let chat = "chat: {type: slack, url: 'env:CHAT_URL'}";
        let archive = "archive: {type: file, path: alerts.jsonl}";
        let told = |entries: &[&str]| -> Vec<(String, String)> {
            let outputs = read(format!("outputs:\n  {}\n", entries.join("\n  ")).as_bytes()).unwrap();
            let found = alarms(&outputs);
            assert!(found.iter().all(|finding| finding.level == Level::Warning && finding.remedies.len() == 1));
            found.into_iter().map(|finding| (finding.subject, finding.found)).collect()
        };
        let of_pager = |who: &str| {
            let found = format!("when pager fails, or its canary does not get through, {who}");
            vec![("outputs.pager".to_owned(), found)]
        };
        assert_eq!(told(&[pager]), of_pager("nobody is told: there is no other output"));
        assert_eq!(told(&[archive, pager]), of_pager("only archive (file) is told"));
        assert_eq!(told(&[chat, pager]), []);
        assert_eq!(told(&[archive]), [], "what is only kept is nobody's alarm");
    }
}
