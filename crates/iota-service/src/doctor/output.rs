//! The outputs: whether their configuration resolves, their secrets are there, and their host takes a connection. Nothing is
//! sent; `iota outputs test` does that.

use super::finding::{Finding, Report};
use super::{PATIENCE, Plan};
use crate::aws::Remedy;
use crate::output::OutputFile;
use crate::output::config::{Endpoint, OutputError};
use serde_json::json;
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
