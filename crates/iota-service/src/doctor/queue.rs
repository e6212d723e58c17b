//! A queue: its attributes against what a robust consumer needs, its dead-letter queue, and the calls that iota makes.

use super::finding::{Finding, Level, Report};
use super::{PATIENCE, hurried};
use crate::aws::{Account, Call, Connection, Fault, Remedy, assume, credentials, fault_of, is_denied, region_of_queue, remedies};
use crate::source::feed::{QueueConfig, max_receive_count};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

const CHECK: &str = "queue";
/// Receives after which a message goes to the dead letters: an outage must not look like poison.
const MIN_RECEIVES: u32 = 50;
/// The longest that SQS keeps messages, in seconds.
const LONGEST: u64 = 14 * 24 * 60 * 60;
/// An outage of a weekend is survived, in seconds.
const SHORT: u64 = 3 * 24 * 60 * 60;
/// A heartbeat needs room for a slow moment, in seconds.
const HURRIED: u64 = 30;
/// What no receipt of a message is, so that nothing is changed.
const NO_RECEIPT: &str = "iota-doctor-asks-whether-this-is-permitted";

/// What the other checks need of a queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) url: String,
    pub(super) arn: String,
    pub(super) config: QueueConfig,
    pub(super) attributes: Attributes,
}

#[derive(Debug, Default)]
pub(super) struct Attributes(HashMap<Name, String>);

impl Attributes {
    fn text(&self, name: &Name) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &Name) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Services that its policy lets send.
    pub(super) fn senders(&self) -> Vec<String> {
        let policy: Json = self.text(&Name::Policy).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let allows = |statement: &&Json| {
            let sends = |action: &Json| {
                let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
                action == "*" || action == "sqs:*" || action == "sqs:sendmessage"
            };
            statement["Effect"] == "Allow" && list(&statement["Action"]).any(sends)
        };
        let principals = |statement: &Json| -> Vec<String> {
            let principal = &statement["Principal"];
            let named = list(&principal["Service"]).chain(list(&principal["AWS"])).chain(principal.as_str().map(|_| principal));
            named.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        list(&policy["Statement"]).filter(allows).flat_map(principals).collect()
    }
}

/// One value, or each of several.
fn list(json: &Json) -> impl Iterator<Item = &Json> {
    let many = json.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = (!json.is_array() && !json.is_null()).then_some(json);
    many.iter().chain(one)
}

pub(super) async fn check(config: &QueueConfig, account: &Account, report: &mut Report<'_>) -> Queue {
    let url = config.url.as_str();
    let connection = Connection::new(hurried(&config.access), region_of_queue(url), Client::new);
    let region = match report.within(PATIENCE, CHECK, url, connection.config()).await {
        Some(Ok(config)) => config.region().map(ToString::to_string),
        _ => None,
    };
    let arn = arn(url, region.as_deref(), account);
    let mut queue = Queue { url: url.to_owned(), arn, config: config.clone(), attributes: Attributes::default() };
    match report.within(PATIENCE, CHECK, url, attributes(&connection, url)).await {
        Some(Ok(found)) => queue.attributes = Attributes(found),
        Some(Err(fault)) => {
            report.tell(unreached(&queue, &fault, account));
            if !is_denied(&fault) {
                return queue;
            }
        }
        None => return queue,
    }
    if let Some(arn) = queue.attributes.text(&Name::QueueArn) {
        queue.arn = arn.to_owned();
    }
    if !queue.attributes.0.is_empty() {
        for finding in judge(&queue) {
            report.tell(finding);
        }
        dead_letters(&queue, &connection, account, report).await;
    }
    calls(&queue, &connection, account, report).await;
    queue
}

async fn attributes(connection: &Connection<Client>, url: &str) -> Result<HashMap<Name, String>, Fault> {
    let request = connection.client().await?.get_queue_attributes().queue_url(url).attribute_names(Name::All);
    let answer = request.send().await.map_err(|error| fault_of("sqs:GetQueueAttributes", &error))?;
    Ok(answer.attributes.unwrap_or_default())
}

/// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
fn arn(url: &str, region: Option<&str>, account: &Account) -> String {
    let mut parts = url.rsplit('/');
    let (name, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("ACCOUNT"));
    format!("arn:{}:sqs:{}:{owner}:{name}", account.partition, region.unwrap_or("REGION"))
}

fn unreached(queue: &Queue, fault: &Fault, account: &Account) -> Finding {
    let call = Call { action: "sqs:GetQueueAttributes", resource: &queue.arn };
    let statements = remedies(fault, call, account);
    if statements.is_empty() {
        let remedies = match &queue.config.access.assume_role {
            Some(role) if fault.is_of_credentials() => assume(role, account).to_vec(),
            None if fault.is_of_credentials() => vec![credentials()],
            // Nobody answered, or nobody was asked.
            _ if fault.code.is_none() => {
                let text = "see that the address of the queue is reached from here, and that its region is known (AWS_REGION)";
                vec![Remedy::Setting(text.to_owned())]
            }
            _ => {
                let text = "check the URL of the queue (`aws sqs get-queue-url --queue-name NAME`) and its region";
                vec![Remedy::Setting(text.to_owned())]
            }
        };
        return Finding::failed(CHECK, &queue.url, fault.why.clone()).with(remedies);
    }
    let found = format!("{}; its settings were not checked, and iota cannot warn of a crowded queue", fault.why);
    Finding::warning(CHECK, &queue.url, found).with(statements)
}

/// A command that sets attributes of the queue.
fn set(url: &str, attributes: &Json) -> Remedy {
    Remedy::Setting(format!("aws sqs set-queue-attributes --queue-url {url} --attributes '{attributes}'"))
}

fn judge(queue: &Queue) -> Vec<Finding> {
    let (url, attributes) = (queue.url.as_str(), &queue.attributes);
    let mut findings = Vec::new();
    let number = |name: &Name| attributes.number(name).unwrap_or_default();
    let (waiting, in_flight) = (number(&Name::ApproximateNumberOfMessages), number(&Name::ApproximateNumberOfMessagesNotVisible));
    let counts = format!("{waiting} messages wait, {in_flight} are in flight");
    findings.push(if in_flight >= QueueConfig::CROWDED {
        Finding::failed(CHECK, url, format!("{counts}; with {} the queue looks empty to everybody", QueueConfig::IN_FLIGHT))
            .setting("run more replicas, or find what keeps messages from being deleted")
    } else {
        Finding::ok(CHECK, url, format!("is reached: {counts}"))
    });
    let hidden = queue.config.visibility.as_secs();
    if hidden < HURRIED {
        let found = format!("messages are hidden for {hidden} s at a time; a slow moment makes them come twice");
        findings.push(Finding::warning(CHECK, url, found).setting("sources.queues: visibility_timeout: 2m"));
    } else {
        let own = number(&Name::VisibilityTimeout);
        let found = format!(
            "messages are hidden for {hidden} s at a time and hidden anew while in work (the queue's own {own} s are not used)"
        );
        findings.push(Finding::ok(CHECK, url, found));
    }
    if attributes.text(&Name::FifoQueue) == Some("true") || url.ends_with(".fifo") {
        findings.push(
            Finding::failed(CHECK, url, "is a FIFO queue; S3 cannot send notifications to one")
                .setting("make a standard queue and name that"),
        );
    }
    findings.push(match attributes.text(&Name::KmsMasterKeyId) {
        Some(key) if key.ends_with("alias/aws/sqs") => {
            let found = "is encrypted with the key that AWS manages (alias/aws/sqs); neither S3 nor SNS nor EventBridge can send to it";
            let own = set(url, &json!({"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"}));
            Finding::failed(CHECK, url, found).with([own])
        }
        Some(key) => {
            let found = format!("is encrypted with {key}, whose policy was not checked: it has to let the sender use the key (deploy/iam/queue-key-policy.json)");
            Finding::ok(CHECK, url, found)
        }
        None if attributes.text(&Name::SqsManagedSseEnabled) == Some("true") => Finding::ok(CHECK, url, "is encrypted by SQS"),
        None => Finding::warning(CHECK, url, "is not encrypted").with([set(url, &json!({"SqsManagedSseEnabled": "true"}))]),
    });
    if attributes.senders().is_empty() {
        let statement = json!({
            "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue.arn,
            "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::TRAIL_BUCKET"}, "StringEquals": {"aws:SourceAccount": "BUCKET_ACCOUNT"}},
        });
        let policy =
            format!("policy of the queue {} (for SNS or EventBridge, that service and the ARN of the topic or rule)", queue.arn);
        findings.push(
            Finding::failed(CHECK, url, "its policy lets nobody send, so no notification gets into it")
                .with([Remedy::Statement { policy, statement }]),
        );
    }
    findings
}

async fn dead_letters(queue: &Queue, connection: &Connection<Client>, account: &Account, report: &mut Report<'_>) {
    let url = queue.url.as_str();
    let redrive: Json =
        queue.attributes.text(&Name::RedrivePolicy).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let Some(target) = redrive["deadLetterTargetArn"].as_str() else {
        let policy = json!({"deadLetterTargetArn": format!("{}-dead", queue.arn), "maxReceiveCount": MIN_RECEIVES.to_string()});
        let found = "has no dead-letter queue: what iota does not understand comes again until it expires";
        report.tell(Finding::warning(CHECK, url, found).with([set(url, &json!({"RedrivePolicy": policy.to_string()}))]));
        return;
    };
    let receives = queue.attributes.text(&Name::RedrivePolicy).and_then(max_receive_count).unwrap_or_default();
    if receives < MIN_RECEIVES {
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": MIN_RECEIVES.to_string()});
        let found = format!("maxReceiveCount is {receives}: an outage would move good messages to the dead letters");
        report.tell(Finding::failed(CHECK, url, found).with([set(url, &json!({"RedrivePolicy": policy.to_string()}))]));
    } else {
        report.tell(Finding::ok(CHECK, url, format!("goes to dead letters after {receives} receives")));
    }
    let retention = queue.attributes.number(&Name::MessageRetentionPeriod).unwrap_or_default();
    if retention < SHORT {
        let found = format!("keeps messages for {} h; what an outage leaves longer is gone", retention / 3600);
        report.tell(Finding::warning(CHECK, url, found).with([set(url, &json!({"MessageRetentionPeriod": "345600"}))]));
    }
    let Some(dead_url) = sibling(url, target) else { return };
    let found = match report.within(PATIENCE, CHECK, &dead_url, attributes(connection, &dead_url)).await {
        Some(Ok(found)) => Attributes(found),
        Some(Err(fault)) => {
            let call = Call { action: "sqs:GetQueueAttributes", resource: target };
            let statements = remedies(&fault, call, account);
            let level = if statements.is_empty() { Level::Failed } else { Level::Warning };
            let text = format!("dead-letter queue was not checked: {}", fault.why);
            let finding = Finding { level, ..Finding::warning(CHECK, &dead_url, text) }.with(statements);
            report.tell(if level == Level::Failed { finding.setting("make that queue, or name another one") } else { finding });
            return;
        }
        None => return,
    };
    let kept = found.number(&Name::MessageRetentionPeriod).unwrap_or_default();
    if kept < LONGEST || retention >= kept {
        let text = format!(
            "keeps dead letters for {} h, and the queue itself messages for {} h; their age counts from when they were first sent",
            kept / 3600,
            retention / 3600
        );
        let mut settings = Vec::new();
        if kept < LONGEST {
            settings.push(set(&dead_url, &json!({"MessageRetentionPeriod": LONGEST.to_string()})));
        }
        if retention >= LONGEST {
            settings.push(set(url, &json!({"MessageRetentionPeriod": "345600"})));
        }
        report.tell(Finding::warning(CHECK, &dead_url, text).with(settings));
    } else {
        report.tell(Finding::ok(CHECK, &dead_url, format!("keeps dead letters for {} days", kept / 86_400)));
    }
    let dead = found.number(&Name::ApproximateNumberOfMessages).unwrap_or_default();
    if dead > 0 {
        let again = format!("look at them; then: aws sqs start-message-move-task --source-arn {target}");
        report.tell(Finding::warning(CHECK, &dead_url, format!("{dead} dead letters wait")).setting(again));
    }
}

/// The URL of another queue of the same region.
fn sibling(url: &str, arn: &str) -> Option<String> {
    let mut parts = arn.rsplit(':');
    let (name, owner) = (parts.next()?, parts.next()?);
    let mut path = url.rsplitn(3, '/');
    Some(format!("{}/{owner}/{name}", path.nth(2)?))
}

/// Those that can be asked for without doing anything: a receipt that is none is refused after the permission was looked at.
/// Receiving is not tried, because it would count.
async fn calls(queue: &Queue, connection: &Connection<Client>, account: &Account, report: &mut Report<'_>) {
    let url = queue.url.as_str();
    let delete = async {
        let request = connection.client().await?.delete_message().queue_url(url).receipt_handle(NO_RECEIPT);
        request.send().await.map(drop).map_err(|error| fault_of("sqs:DeleteMessage", &error))
    };
    let hide = async {
        let request = connection.client().await?.change_message_visibility().queue_url(url).receipt_handle(NO_RECEIPT);
        request.visibility_timeout(0).send().await.map(drop).map_err(|error| fault_of("sqs:ChangeMessageVisibility", &error))
    };
    let Some(deleted) = report.within(PATIENCE, CHECK, url, delete).await else { return };
    let Some(hidden) = report.within(PATIENCE, CHECK, url, hide).await else { return };
    let mut denied = false;
    for (action, result) in [("sqs:DeleteMessage", deleted), ("sqs:ChangeMessageVisibility", hidden)] {
        let Err(fault) = result else { continue };
        let statements = remedies(&fault, Call { action, resource: &queue.arn }, account);
        if !statements.is_empty() {
            denied = true;
            report.tell(Finding::failed(CHECK, url, fault.why).with(statements));
        }
    }
    if !denied {
        let found =
            "deleting and hiding messages is not refused; receiving (sqs:ReceiveMessage) was not tried, because it would count";
        report.tell(Finding::ok(CHECK, url, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_named_by_url_and_by_arn() {
        let account = Account::unknown(Some("cn-north-1"));
        let url = "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q";
        assert_eq!(arn(url, region_of_queue(url), &account), "arn:aws-cn:sqs:cn-north-1:111122223333:q");
        let dead = sibling(url, "arn:aws-cn:sqs:cn-north-1:444455556666:q-dead").unwrap();
        assert_eq!(dead, "https://sqs.cn-north-1.amazonaws.com.cn/444455556666/q-dead");
    }

    #[test]
    fn senders_are_read_from_a_policy_of_any_shape() {
        let senders = |statement: Json| {
            let policy = json!({"Statement": statement}).to_string();
            Attributes(HashMap::from([(Name::Policy, policy)])).senders()
        };
        let one = |principal: Json, action: Json| json!({"Effect": "Allow", "Principal": principal, "Action": action});
        assert_eq!(senders(one(json!({"Service": "s3.amazonaws.com"}), json!("sqs:SendMessage"))), ["s3.amazonaws.com"]);
        assert_eq!(senders(json!([one(json!({"Service": ["a", "b"]}), json!(["SQS:SendMessage"]))])), ["a", "b"]);
        assert_eq!(senders(one(json!("*"), json!("sqs:*"))), ["*"]);
        assert_eq!(senders(one(json!({"AWS": "*"}), json!("sqs:ReceiveMessage"))), [""; 0]);
        assert_eq!(senders(json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*"})), [""; 0]);
        assert_eq!(Attributes::default().senders(), [""; 0]);
    }
}
