//! Whether a queue is told of what is put into a bucket: directly, through a topic, through EventBridge, or by CloudTrail's
//! own topic; and whether a filter on the way leaves logs out. The bucket's configuration is read and never changed.

use super::bucket::Logs;
use super::finding::{Finding, Report};
use super::queue::Queue;
use super::{PATIENCE, hurried};
use crate::aws::{Access, Account, Call, Fault, Remedy, bucket_arn, fault_of, is_denied, region_of_arn, remedies};
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{Event, FilterRuleName, NotificationConfigurationFilter};
use serde_json::json;

const CHECK: &str = "notification";
/// What the names of log files end with.
const SUFFIX: &str = ".json.gz";

/// One way from the bucket to the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Way {
    how: String,
    prefix: String,
    suffix: String,
    /// `s3:ObjectCreated:*` and the like; none where it is not filtered by them.
    events: Vec<String>,
}

/// `topics` are those that CloudTrail itself publishes to when it has delivered to this bucket.
pub(super) async fn check(logs: &Logs, queues: &[Queue], topics: &[String], account: &Account, report: &mut Report<'_>) {
    let bucket = logs.bucket.name.as_str();
    let subject = logs.bucket.url("");
    if queues.is_empty() {
        return;
    }
    let request = logs.bucket.client().get_bucket_notification_configuration().bucket(bucket);
    let configured = match report.within(PATIENCE, CHECK, &subject, request.send()).await {
        Some(Ok(configured)) => configured,
        Some(Err(error)) => {
            let fault = fault_of("s3:GetBucketNotification", &error);
            let resource = bucket_arn(bucket, account);
            let statements = remedies(&fault, Call { action: "s3:GetBucketNotification", resource: &resource }, account);
            let finding = Finding::warning(CHECK, &subject, format!("was not checked: {}", fault.why)).with(statements);
            report.tell(finding);
            return;
        }
        None => return,
    };
    let mut ways = Vec::new();
    let mut unknown = false;
    for queue in queues {
        ways.extend(direct(&configured, queue));
        let by_topic = configured.topic_configurations().iter().map(|topic| Way {
            how: topic.topic_arn.clone(),
            events: names(&topic.events),
            ..filtered(topic.filter.as_ref())
        });
        let by_trail = topics.iter().map(|topic| Way { how: topic.clone(), ..Way::default() });
        for way in by_topic.chain(by_trail) {
            match subscribes(&way.how, queue, account, report).await {
                Some(true) => ways.push(Way { how: format!("topic {}", way.how), ..way }),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if configured.event_bridge_configuration().is_some() {
            match rules_for(queue, account, report).await {
                Some(rules) => {
                    ways.extend(rules.into_iter().map(|rule| Way { how: format!("EventBridge rule {rule}"), ..Way::default() }));
                }
                None => unknown = true,
            }
        }
    }
    if ways.is_empty() && unknown {
        let found = "whether the queue is told of new objects is not known: the way there could not be looked at";
        report.tell(Finding::warning(CHECK, &subject, found).setting("grant what the warnings above name, and ask again"));
        return;
    }
    report.tell(judge(logs, &subject, queues, &ways));
}

fn direct(configured: &GetBucketNotificationConfigurationOutput, queue: &Queue) -> Vec<Way> {
    let to_queue = configured.queue_configurations().iter().filter(|entry| entry.queue_arn == queue.arn);
    to_queue
        .map(|entry| Way { how: format!("queue {}", queue.arn), events: names(&entry.events), ..filtered(entry.filter.as_ref()) })
        .collect()
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.as_str().to_owned()).collect()
}

fn filtered(filter: Option<&NotificationConfigurationFilter>) -> Way {
    let rules =
        filter.and_then(|filter| filter.key.as_ref()).map(aws_sdk_s3::types::S3KeyFilter::filter_rules).unwrap_or_default();
    let value = |name: &FilterRuleName| {
        // S3 answers with a capital letter where it was asked with none.
        let is = |found: &FilterRuleName| found.as_str().eq_ignore_ascii_case(name.as_str());
        rules.iter().find(|rule| rule.name.as_ref().is_some_and(is)).and_then(|rule| rule.value.clone()).unwrap_or_default()
    };
    Way { prefix: value(&FilterRuleName::Prefix), suffix: value(&FilterRuleName::Suffix), ..Way::default() }
}

impl Way {
    fn tells_of_puts(&self) -> bool {
        let fits = |event: &String| matches!(event.as_str(), "s3:ObjectCreated:*" | "s3:ObjectCreated:Put");
        self.events.is_empty() || self.events.iter().any(fits)
    }

    fn tells_of(&self, folder: &str) -> bool {
        self.tells_of_puts() && folder.starts_with(&self.prefix) && SUFFIX.ends_with(&self.suffix)
    }

    fn shown(&self) -> String {
        let filter = |name: &str, value: &String| if value.is_empty() { String::new() } else { format!(", {name} {value:?}") };
        format!("{}{}{}", self.how, filter("prefix", &self.prefix), filter("suffix", &self.suffix))
    }
}

fn judge(logs: &Logs, subject: &str, queues: &[Queue], ways: &[Way]) -> Finding {
    let folders: Vec<&str> = if logs.branches.is_empty() {
        vec![&logs.root.within]
    } else {
        logs.branches.iter().map(|last| last.branch.prefix.as_str()).collect()
    };
    let add = |queue: &Queue| {
        let rules = json!([{"Name": "prefix", "Value": logs.root.within}, {"Name": "suffix", "Value": SUFFIX}]);
        let entry = json!({"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}});
        let bucket = &logs.bucket.name;
        Remedy::Setting(format!(
            "add to QueueConfigurations of the bucket {entry}; putting a configuration replaces the whole of it: get it first \
             (`aws s3api get-bucket-notification-configuration --bucket {bucket} > n.json`), add the entry, and put it back \
             (`aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration file://n.json`)"
        ))
    };
    if ways.is_empty() {
        let urls: Vec<_> = queues.iter().map(|queue| queue.url.as_str()).collect();
        let found = format!("nothing tells {} of new objects", urls.join(" or "));
        return Finding::failed(CHECK, subject, found).with(queues.first().map(add));
    }
    let shown = ways.iter().map(Way::shown).collect::<Vec<_>>().join("; ");
    let missed: Vec<_> = folders.iter().filter(|folder| !ways.iter().any(|way| way.tells_of(folder))).copied().collect();
    if !missed.is_empty() {
        let some = missed.iter().take(5).copied().collect::<Vec<_>>().join(" ");
        let more = if missed.len() > 5 { format!(" and {} more", missed.len() - 5) } else { String::new() };
        let found = format!("goes to {shown}; that tells nothing of new objects below {some}{more}");
        return Finding::failed(CHECK, subject, found).with(queues.first().map(add));
    }
    if ways.len() > 1 {
        let found =
            format!("goes more than one way, {shown}: objects are told of twice, which costs requests and changes nothing");
        return Finding::warning(CHECK, subject, found).setting("remove all ways but one");
    }
    Finding::ok(CHECK, subject, format!("goes to {shown}"))
}

/// For another service, reached as the queue is.
fn beside(queue: &Queue) -> Access {
    Access { endpoint_url: None, ..hurried(&queue.config.access) }
}

fn unknown(subject: &str, fault: &Fault, call: Call<'_>, account: &Account, report: &mut Report<'_>) {
    let finding = Finding::warning(CHECK, subject, format!("was not checked: {}", fault.why));
    report.tell(finding.with(remedies(fault, call, account)));
}

/// `None`: not known.
async fn subscribes(topic: &str, queue: &Queue, account: &Account, report: &mut Report<'_>) -> Option<bool> {
    let ask = async {
        let config = beside(queue).connect(region_of_arn(topic)).await.map_err(|error| unconnected(&error))?;
        let client = aws_sdk_sns::Client::new(&config);
        let mut token = None;
        loop {
            let page = client.list_subscriptions_by_topic().topic_arn(topic).set_next_token(token).send().await;
            let page = page.map_err(|error| fault_of("sns:ListSubscriptionsByTopic", &error))?;
            let found = page.subscriptions().iter().find(|entry| entry.endpoint() == Some(queue.arn.as_str()));
            if let Some(found) = found {
                return Ok(Some(found.subscription_arn() != Some("PendingConfirmation")));
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(None);
            }
        }
    };
    match report.within(PATIENCE, CHECK, topic, ask).await? {
        Ok(Some(true)) => Some(true),
        Ok(Some(false)) => {
            let found = format!("the subscription of {} waits to be confirmed", queue.arn);
            let mend = "confirm it: its message in the queue has a SubscribeURL";
            report.tell(Finding::failed(CHECK, topic, found).setting(mend));
            Some(false)
        }
        Ok(None) => Some(false),
        Err(fault) => {
            let call = Call { action: "sns:ListSubscriptionsByTopic", resource: topic };
            unknown(topic, &fault, call, account, report);
            None
        }
    }
}

/// Rules of the default bus that send to the queue. What they match is theirs to say.
async fn rules_for(queue: &Queue, account: &Account, report: &mut Report<'_>) -> Option<Vec<String>> {
    let ask = async {
        let config = beside(queue).connect(region_of_arn(&queue.arn)).await.map_err(|error| unconnected(&error))?;
        let request = aws_sdk_eventbridge::Client::new(&config).list_rule_names_by_target().target_arn(&queue.arn);
        let answer = request.send().await.map_err(|error| fault_of("events:ListRuleNamesByTarget", &error))?;
        Ok(answer.rule_names.unwrap_or_default())
    };
    match report.within(PATIENCE, CHECK, &queue.arn, ask).await? {
        Ok(rules) => Some(rules),
        Err(fault) => {
            if is_denied(&fault) {
                let call = Call { action: "events:ListRuleNamesByTarget", resource: "*" };
                unknown(&queue.arn, &fault, call, account, report);
            } else {
                report.tell(Finding::warning(CHECK, &queue.arn, format!("was not checked: {}", fault.why)));
            }
            None
        }
    }
}

fn unconnected(error: &crate::aws::AccessError) -> Fault {
    Fault { verdict: crate::aws::Verdict::Closed, after: None, code: None, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(prefix: &str, suffix: &str, events: &[&str]) -> Way {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        Way { how: String::new(), prefix: prefix.to_owned(), suffix: suffix.to_owned(), events }
    }

    #[test]
    fn a_filter_lets_logs_through_or_leaves_them_out() {
        let folder = "p/AWSLogs/111122223333/CloudTrail/eu-west-1/";
        let created = ["s3:ObjectCreated:*"];
        for (way, expected) in [
            (way("", "", &created), true),
            (way("p/AWSLogs/", ".json.gz", &created), true),
            (way("p/", ".gz", &["s3:ObjectCreated:Put"]), true),
            (way("", "", &[]), true),
            (way("AWSLogs/", "", &created), false),
            (way("p/AWSLogs/444455556666/", "", &created), false),
            (way("p/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/", "", &created), false),
            (way("", ".json", &created), false),
            (way("", "", &["s3:ObjectRemoved:*"]), false),
        ] {
            assert_eq!(way.tells_of(folder), expected, "{way:?}");
        }
    }
}
