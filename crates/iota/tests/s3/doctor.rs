//! `iota doctor` against moto: a set-up that is healthy, and each defect of it alone.

use crate::aws::{Bucket, call, name, sqs};
use crate::harness::{Target, gzip, moto};
use crate::proxy::{Answer, proxy, recording};
use iota_engine::event::format_ms;
use iota_service::store::Sqlite;
use serde_json::{Value as Json, json};
use std::fs;

const ACCOUNT: &str = "123456789012";
const RULE: &str = "def rule(event):\n    return event.get('eventName') == 'StopLogging'\n";

fn cloudtrail(operation: &str, body: &Json) {
    let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}");
    let headers = format!("X-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1\r\n");
    call("cloudtrail", "POST /", &headers, body.to_string().as_bytes());
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}")
}

/// Of a queue that S3 may send to.
fn policy(queue: &str) -> Json {
    json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn(queue)}]})
}

/// A key that is delivered so many minutes ago.
fn key(prefix: &str, region: &str, minutes: u64) -> String {
    let time = format_ms(jiff::Timestamp::now().as_millisecond() - i64::try_from(minutes * 60_000).unwrap());
    let (day, stamp) = (time[..10].replace('-', "/"), time[..16].replace(['-', ':'], ""));
    format!("{prefix}AWSLogs/{ACCOUNT}/CloudTrail/{region}/{day}/{ACCOUNT}_CloudTrail_{region}_{stamp}Z_abcdefghijklmnop.json.gz")
}

/// What is set up, and the directory that the binary is run in.
struct SetUp {
    bucket: Bucket,
    queue: String,
    dead: String,
    trail: String,
    target: Target,
}

impl SetUp {
    /// Nothing is to be said against this one.
    fn healthy() -> Self {
        let (bucket, queue, trail) = (Bucket::new(), name("told"), name("trail-of"));
        let dead = format!("{queue}-dead");
        let make = |name: &str, attributes: Json| {
            let made = sqs("CreateQueue", &json!({"QueueName": name, "Attributes": attributes}));
            made["QueueUrl"].as_str().unwrap().to_owned()
        };
        let dead_url = make(&dead, json!({"MessageRetentionPeriod": "1209600"}));
        let redrive = json!({"deadLetterTargetArn": arn(&dead), "maxReceiveCount": "50"});
        let attributes =
            json!({"RedrivePolicy": redrive.to_string(), "Policy": policy(&queue).to_string(), "SqsManagedSseEnabled": "true"});
        let url = make(&queue, attributes);
        bucket.put(&key("", "us-east-1", 3), &gzip(br#"{"Records":[]}"#));
        let set_up = Self { bucket, queue: url, dead: dead_url, trail, target: Target::new() };
        set_up.notify("AWSLogs/", ".json.gz", "s3:ObjectCreated:*");
        cloudtrail(
            "CreateTrail",
            &json!({"Name": set_up.trail, "S3BucketName": set_up.bucket.0, "IsMultiRegionTrail": true,
                    "IncludeGlobalServiceEvents": true, "EnableLogFileValidation": true}),
        );
        cloudtrail("StartLogging", &json!({"Name": set_up.trail}));
        let all = json!([{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": []}]);
        cloudtrail("PutEventSelectors", &json!({"TrailName": set_up.trail, "EventSelectors": all}));
        fs::create_dir_all(set_up.target.path("rules")).unwrap();
        fs::write(set_up.target.path("rules/stopped.py"), RULE).unwrap();
        fs::create_dir_all(set_up.target.path("state")).unwrap();
        set_up
    }

    fn notify(&self, prefix: &str, suffix: &str, event: &str) {
        let queue = arn(self.queue.rsplit('/').next().unwrap());
        let rule = |name: &str, value: &str| format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>");
        let filter = format!("<S3Key>{}{}</S3Key>", rule("prefix", prefix), rule("suffix", suffix));
        let entry = format!(
            "<QueueConfiguration><Id>iota</Id><Queue>{queue}</Queue><Event>{event}</Event><Filter>{filter}</Filter></QueueConfiguration>"
        );
        self.configure(&entry);
    }

    fn configure(&self, entries: &str) {
        let xml = format!(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{entries}</NotificationConfiguration>"
        );
        call("s3", &format!("PUT /{}?notification", self.bucket.0), "", xml.as_bytes());
    }

    /// The policy again, because moto forgets it when others are set.
    fn set(url: &str, attributes: &Json) {
        let mut attributes = attributes.clone();
        attributes["Policy"] = policy(url.rsplit('/').next().unwrap()).to_string().into();
        sqs("SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": attributes}));
    }

    fn flags(&self) -> Vec<&str> {
        let own = ["--queue-url", &self.queue, "--bucket", &self.bucket.0, "--rules", "rules", "--state", "state"];
        own.to_vec()
    }

    fn ask(&self) -> Report {
        self.ask_with(moto(), &[])
    }

    fn ask_with(&self, endpoint: &str, more: &[&str]) -> Report {
        Report::of(&self.target, endpoint, &[&self.flags()[..], more].concat())
    }
}

/// What was found.
struct Report(Json);

impl Report {
    fn of(target: &Target, endpoint: &str, flags: &[&str]) -> Self {
        let ran = target.run(endpoint, &[&["doctor", "--format", "json"], flags].concat());
        let report: Json = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {} {}", ran.stdout, ran.stderr));
        let code = i32::from(report["failed"] != 0);
        assert_eq!(ran.code, Some(code), "{report:#}");
        Self(report)
    }

    fn findings(&self, level: &str) -> Vec<&Json> {
        self.0["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == level).collect()
    }

    /// The one finding of a check and level whose text has this in it; its remedies as text.
    fn found(&self, level: &str, check: &str, text: &str) -> String {
        let fits = |finding: &&&Json| {
            finding["check"] == check && format!("{}: {}", finding["subject"], finding["found"]).contains(text)
        };
        let all = self.findings(level);
        let found: Vec<_> = all.iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{level} {check} {text}: {:#}", self.0);
        assert!(level == "ok" || !found[0]["remedies"].as_array().unwrap().is_empty(), "says how to mend it: {:#}", found[0]);
        found[0]["remedies"].to_string()
    }

    fn levels(&self) -> (usize, usize) {
        (self.findings("warning").len(), self.findings("failed").len())
    }
}

/// So many warnings and failures, and no other ones.
#[track_caller]
fn only(report: &Report, expected: (usize, usize)) {
    assert_eq!(report.levels(), expected, "{:#} {:#?} {:#?}", report.0, report.findings("warning"), report.findings("failed"));
}

#[test]
fn a_healthy_set_up_is_found_healthy() {
    let set_up = SetUp::healthy();
    let report = set_up.ask();
    only(&report, (0, 0));
    for check in [
        "identity",
        "clock",
        "bucket",
        "object",
        "notification",
        "trail",
        "delivery",
        "python",
        "sandbox",
        "rules",
        "state",
        "output",
    ] {
        assert!(report.findings("ok").iter().any(|finding| finding["check"] == check), "{check}: {:#}", report.0);
    }
    let ran = set_up.target.run(moto(), &[&["doctor"], &set_up.flags()[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.ends_with(" ok, 0 warnings, 0 failed\n"), "{}", ran.stdout);
    let left = sqs("GetQueueAttributes", &json!({"QueueUrl": set_up.queue, "AttributeNames": ["All"]}));
    assert_eq!(left["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0", "nothing was received");
}

/// What a proxy refuses, at which level it is told, and the statement that is missing.
#[test]
fn each_call_that_is_denied_names_the_statement_that_is_missing() {
    let set_up = SetUp::healthy();
    let bucket = format!("arn:aws:s3:::{}", set_up.bucket.0);
    let queue = arn(set_up.queue.rsplit('/').next().unwrap());
    let trail = format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/{}", set_up.trail);
    let logs = format!("{bucket}/AWSLogs/*");
    let cases: [(&'static str, &str, &str, &str, &str); 9] = [
        ("list-type=2", "warning", "bucket", "s3:ListBucket", &bucket),
        (".json.gz?", "failed", "object", "s3:GetObject", &logs),
        ("?notification", "warning", "notification", "s3:GetBucketNotification", &bucket),
        ("GetQueueAttributes", "warning", "queue", "sqs:GetQueueAttributes", &queue),
        ("DeleteMessage", "failed", "queue", "sqs:DeleteMessage", &queue),
        ("ChangeMessageVisibility", "failed", "queue", "sqs:ChangeMessageVisibility", &queue),
        ("DescribeTrails", "warning", "trail", "cloudtrail:DescribeTrails", "*"),
        ("GetTrailStatus", "warning", "trail", "cloudtrail:GetTrailStatus", &trail),
        ("GetEventSelectors", "warning", "trail", "cloudtrail:GetEventSelectors", &trail),
    ];
    for (denied, level, check, action, resource) in cases {
        let url = proxy(move |asked, _| if asked.contains(denied) { Answer::Error(403, "AccessDenied") } else { Answer::Pass });
        let report = set_up.ask_with(&url, &[]);
        let remedies = report.found(level, check, action);
        let expected = json!({"Effect": "Allow", "Action": action, "Resource": resource}).to_string();
        let inner = expected.trim_matches(['{', '}']);
        assert!(remedies.contains(inner), "{denied}: {remedies}");
        assert!(report.findings("ok").iter().any(|finding| finding["check"] == "rules"), "the checks go on");
    }
    // A bucket that is listed cannot do without.
    let url = proxy(|asked, _| if asked.contains("list-type=2") { Answer::Error(403, "AccessDenied") } else { Answer::Pass });
    let place = set_up.bucket.url("");
    Report::of(&set_up.target, &url, &["--s3", &place, "--rules", "rules", "--state", "state"]).found(
        "failed",
        "bucket",
        "s3:ListBucket",
    );
    let url = proxy(|asked, _| if asked.contains("DescribeTrails") { Answer::Error(500, "InternalError") } else { Answer::Pass });
    set_up.ask_with(&url, &[]);
}

#[test]
fn keys_that_may_not_be_used_are_told_from_objects() {
    let set_up = SetUp::healthy();
    let url = proxy(
        |asked, _| if asked.contains(".json.gz?") { Answer::Error(400, "KMS.AccessDeniedException") } else { Answer::Pass },
    );
    let remedies = set_up.ask_with(&url, &[]).found("failed", "object", "KMS.AccessDeniedException");
    assert!(remedies.contains("kms:Decrypt") && remedies.contains("kms:EncryptionContext:aws:cloudtrail:arn"), "{remedies}");
    let url =
        proxy(|asked, _| if asked.contains(".json.gz?") { Answer::Error(400, "KMS.DisabledException") } else { Answer::Pass });
    set_up.ask_with(&url, &[]).found("failed", "object", "KMS.DisabledException");
}

#[test]
fn a_role_that_may_not_be_assumed_is_named() {
    let set_up = SetUp::healthy();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let config = json!({"version": 1, "sources": {
        "buckets": [{"bucket": set_up.bucket.0, "role_arn": role, "external_id": "x1"}], "queues": [{"url": set_up.queue}]}});
    fs::write(set_up.target.path("iota.yaml"), config.to_string()).unwrap();
    let flags = ["--config", "iota.yaml", "--rules", "rules", "--state", "state"];
    let report = Report::of(&set_up.target, moto(), &flags);
    report.found("ok", "identity", "is assumed as arn:aws:sts::");
    let url = proxy(|asked, _| if asked == "AssumeRole" { Answer::Error(403, "AccessDenied") } else { Answer::Pass });
    let remedies = Report::of(&set_up.target, &url, &flags).found("failed", "identity", "cannot be assumed");
    assert!(remedies.contains("sts:AssumeRole") && remedies.contains(&role) && remedies.contains("external id"), "{remedies}");
}

#[test]
fn a_queue_is_judged_by_what_an_outage_does_to_it() {
    let set_up = SetUp::healthy();
    let redrive = |count: u32| {
        let dead = arn(set_up.dead.rsplit('/').next().unwrap());
        json!({"RedrivePolicy": json!({"deadLetterTargetArn": dead, "maxReceiveCount": count}).to_string()})
    };
    SetUp::set(&set_up.queue, &redrive(3));
    let report = set_up.ask();
    let remedies = report.found("failed", "queue", "maxReceiveCount is 3");
    assert!(remedies.contains("set-queue-attributes") && remedies.contains("50"), "{remedies}");
    only(&report, (0, 1));
    SetUp::set(&set_up.queue, &redrive(50));
    SetUp::set(&set_up.dead, &json!({"MessageRetentionPeriod": "345600"}));
    let report = set_up.ask();
    assert!(report.found("warning", "queue", "keeps dead letters for 96 h").contains("1209600"));
    only(&report, (1, 0));
    SetUp::set(&set_up.dead, &json!({"MessageRetentionPeriod": "1209600"}));
    sqs("SendMessage", &json!({"QueueUrl": set_up.dead, "MessageBody": "poison"}));
    assert!(set_up.ask().found("warning", "queue", "1 dead letters wait").contains("start-message-move-task"));
}

#[test]
fn a_queue_that_nobody_can_send_to_is_told() {
    let set_up = SetUp::healthy();
    let plain = name("plain");
    let made = sqs("CreateQueue", &json!({"QueueName": plain, "Attributes": {"KmsMasterKeyId": "alias/aws/sqs"}}));
    let url = made["QueueUrl"].as_str().unwrap();
    let flags = ["--queue-url", url, "--bucket", &set_up.bucket.0, "--rules", "rules", "--state", "state"];
    let report = Report::of(&set_up.target, moto(), &flags);
    report.found("warning", "queue", "no dead-letter queue");
    report.found("failed", "queue", "key that AWS manages");
    assert!(report.found("failed", "queue", "lets nobody send").contains("aws:SourceArn"));
    let remedies = report.found("failed", "notification", "nothing tells");
    assert!(remedies.contains(&arn(&plain)) && remedies.contains("replaces the whole"), "{remedies}");
    let gone = format!("{url}-gone");
    let flags = ["--queue-url", &gone, "--bucket", &set_up.bucket.0, "--rules", "rules", "--state", "state"];
    Report::of(&set_up.target, moto(), &flags).found("failed", "queue", "does not exist");
}

#[test]
fn notifications_that_miss_logs_are_told() {
    let set_up = SetUp::healthy();
    for (prefix, suffix, event) in [
        ("other/", ".json.gz", "s3:ObjectCreated:*"),
        ("AWSLogs/", ".json", "s3:ObjectCreated:*"),
        ("AWSLogs/", ".json.gz", "s3:ObjectRemoved:*"),
    ] {
        set_up.notify(prefix, suffix, event);
        let report = set_up.ask();
        report.found("failed", "notification", &format!("below AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/"));
        only(&report, (0, 1));
    }
    let other = arn(set_up.dead.rsplit('/').next().unwrap());
    set_up
        .configure(&format!("<QueueConfiguration><Queue>{other}</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"));
    set_up.ask().found("failed", "notification", "nothing tells");
    // Nothing was mended behind anybody's back.
    let after = call("s3", &format!("GET /{}?notification", set_up.bucket.0), "", b"");
    let after = String::from_utf8(after).unwrap();
    assert!(after.contains(&other) && after.matches("<Queue>").count() == 1, "{after}");
}

#[test]
fn a_topic_between_bucket_and_queue_is_followed() {
    let set_up = SetUp::healthy();
    let topic = name("topic");
    let form = |body: &str| {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        String::from_utf8(call("sns", "POST /", headers, format!("{body}&Version=2010-03-31").as_bytes())).unwrap()
    };
    form(&format!("Action=CreateTopic&Name={topic}"));
    let topic = format!("arn:aws:sns:us-east-1:{ACCOUNT}:{topic}");
    set_up
        .configure(&format!("<TopicConfiguration><Topic>{topic}</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration>"));
    set_up.ask().found("failed", "notification", "nothing tells");
    let queue = arn(set_up.queue.rsplit('/').next().unwrap());
    form(&format!("Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={queue}"));
    let report = set_up.ask();
    report.found("ok", "notification", &topic);
    only(&report, (0, 0));
    let url = proxy(
        |asked, _| if asked == "ListSubscriptionsByTopic" { Answer::Error(403, "AuthorizationError") } else { Answer::Pass },
    );
    let report = set_up.ask_with(&url, &[]);
    assert!(report.found("warning", "notification", "AuthorizationError").contains("sns:ListSubscriptionsByTopic"));
}

#[test]
fn a_rule_of_eventbridge_between_bucket_and_queue_is_followed() {
    const ANSWER: &str = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                          <EventBridgeConfiguration></EventBridgeConfiguration></NotificationConfiguration>";
    let set_up = SetUp::healthy();
    // moto takes this configuration and does not give it back.
    let url = proxy(|asked, _| if asked.contains("?notification") { Answer::Xml(ANSWER) } else { Answer::Pass });
    set_up.ask_with(&url, &[]).found("failed", "notification", "nothing tells");
    let rule = name("new-objects");
    let events = |operation: &str, body: &Json| {
        let headers = format!("X-Amz-Target: AWSEvents.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n");
        call("events", "POST /", &headers, body.to_string().as_bytes());
    };
    let pattern = json!({"source": ["aws.s3"], "detail-type": ["Object Created"]}).to_string();
    events("PutRule", &json!({"Name": rule, "EventPattern": pattern}));
    let queue = arn(set_up.queue.rsplit('/').next().unwrap());
    events("PutTargets", &json!({"Rule": rule, "Targets": [{"Id": "1", "Arn": queue}]}));
    let report = set_up.ask_with(&url, &[]);
    report.found("ok", "notification", &format!("EventBridge rule {rule}"));
    only(&report, (0, 0));
    let url = proxy(|asked, _| match asked {
        "ListRuleNamesByTarget" => Answer::Error(400, "AccessDeniedException"),
        asked if asked.contains("?notification") => Answer::Xml(ANSWER),
        _ => Answer::Pass,
    });
    let report = set_up.ask_with(&url, &[]);
    assert!(report.found("warning", "notification", "AccessDeniedException").contains("events:ListRuleNamesByTarget"));
    report.found("warning", "notification", "is not known");
}

#[test]
fn a_secret_that_may_not_be_read_names_the_statement() {
    let set_up = SetUp::healthy();
    let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:iota-hook-AbCdEf";
    let config = format!("version: 1\noutputs:\n  hook: {{type: webhook, url: 'secretsmanager:{secret}#url'}}\n");
    fs::write(set_up.target.path("iota.yaml"), config).unwrap();
    let url =
        proxy(|asked, _| if asked == "GetSecretValue" { Answer::Error(400, "AccessDeniedException") } else { Answer::Pass });
    let flags = ["--config", "iota.yaml", "--events-dir", "rules", "--rules", "rules", "--state", "state"];
    let remedies = Report::of(&set_up.target, &url, &flags).found("failed", "output", "AccessDeniedException");
    assert!(remedies.contains("secretsmanager:GetSecretValue") && remedies.contains(secret), "{remedies}");
    let remedies = Report::of(&set_up.target, moto(), &flags).found("failed", "output", "ResourceNotFoundException");
    assert!(remedies.contains("make the secret"), "{remedies}");
}

#[test]
fn a_trail_that_does_not_log_is_told() {
    let set_up = SetUp::healthy();
    cloudtrail("StopLogging", &json!({"Name": set_up.trail}));
    let report = set_up.ask();
    assert!(report.found("failed", "trail", "does not log").contains("start-logging"));
    only(&report, (0, 1));
    let few = json!({"Name": set_up.trail, "IsMultiRegionTrail": false, "IncludeGlobalServiceEvents": false});
    cloudtrail("UpdateTrail", &few);
    cloudtrail("StartLogging", &json!({"Name": set_up.trail}));
    let data = json!([{"ReadWriteType": "All", "IncludeManagementEvents": false, "DataResources": []}]);
    cloudtrail("PutEventSelectors", &json!({"TrailName": set_up.trail, "EventSelectors": data}));
    let report = set_up.ask();
    report.found("warning", "trail", "one region only");
    report.found("warning", "trail", "leaves out global services");
    report.found("failed", "trail", "no management events");
}

#[test]
fn silence_and_other_prefixes_are_told() {
    let set_up = SetUp::healthy();
    set_up.bucket.put(&key("", "eu-west-1", 3 * 24 * 60), &gzip(b"{}"));
    let report = set_up.ask();
    report.found("warning", "delivery", &format!("{ACCOUNT}/eu-west-1 3 days ago"));
    only(&report, (1, 0));
    let place = set_up.bucket.url("wrong");
    let flags = ["--s3", &place, "--rules", "rules", "--state", "state"];
    Report::of(&set_up.target, moto(), &flags).found("warning", "bucket", "at the top of the bucket there is AWSLogs/");
    let silent = Bucket::new();
    silent.put(&key("p/", "us-east-1", 200), b"not a log");
    let place = silent.url("p");
    let flags = ["--s3", &place, "--rules", "rules", "--state", "state"];
    let report = Report::of(&set_up.target, moto(), &flags);
    report.found("warning", "delivery", "3 h ago");
    report.found("failed", "object", "neither gzip nor JSON");
    report.found("warning", "trail", "no trail that this account and region see");
}

#[test]
fn the_prefix_of_a_bucket_that_is_only_named_is_that_of_its_trail() {
    let (set_up, bucket, trail) = (SetUp::healthy(), Bucket::new(), name("trail-of"));
    bucket.put(&key("p/", "us-east-1", 3), &gzip(b"{}"));
    cloudtrail("CreateTrail", &json!({"Name": trail, "S3BucketName": bucket.0, "S3KeyPrefix": "p"}));
    let flags = ["--queue-url", &set_up.queue, "--bucket", &bucket.0, "--rules", "rules", "--state", "state"];
    let report = Report::of(&set_up.target, moto(), &flags);
    report.found("ok", "bucket", &bucket.url("p"));
    report.found("failed", "trail", "does not log");
}

#[test]
fn a_table_of_state_that_is_not_there_or_may_not_be_read_is_told() {
    let set_up = SetUp::healthy();
    let flags = ["--events-dir", "rules", "--rules", "rules", "--state", "dynamodb:not-there"];
    Report::of(&set_up.target, moto(), &flags).found("failed", "state", "there is no such table");
    let url = proxy(|asked, _| if asked == "DescribeTable" { Answer::Error(400, "AccessDeniedException") } else { Answer::Pass });
    let remedies = Report::of(&set_up.target, &url, &flags).found("failed", "state", "AccessDeniedException");
    assert!(remedies.contains("dynamodb:Query") && remedies.contains("table/not-there"), "{remedies}");
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let set_up = SetUp::healthy();
    let report = set_up.ask_with(&proxy(|_, _| Answer::Dated("Mon, 15 Jul 2024 10:00:00 GMT")), &[]);
    assert!(report.found("failed", "clock", "ahead of AWS").contains("NTP"));
}

#[test]
fn a_service_that_cannot_be_reached_fails_only_what_needs_it() {
    let set_up = SetUp::healthy();
    let report = set_up.ask_with("http://127.0.0.1:9", &["--events-dir", "rules"]);
    report.found("failed", "identity", "credentials");
    report.found("ok", "rules", "1 of 1 rules run");
    report.found("ok", "directory", "is read");
}

#[test]
fn what_is_local_asks_nothing_of_the_network_and_each_defect_is_told() {
    let target = Target::new();
    fs::create_dir_all(target.path("rules")).unwrap();
    fs::create_dir_all(target.path("events")).unwrap();
    fs::write(target.path("rules/stopped.py"), RULE).unwrap();
    let (url, requests) = recording(|_, _| Answer::Pass);
    let ask = |more: &[&str]| {
        let flags = [&["--events-dir", "events", "--rules", "rules", "--state", "state"][..], more].concat();
        Report::of(&target, &url, &flags)
    };
    let report = ask(&[]);
    report.found("warning", "directory", "is empty");
    report.found("ok", "state", "will be made");
    assert!(!report.0.to_string().contains("identity"));
    fs::write(target.path("rules/broken.py"), "def rule(event:\n").unwrap();
    let report = ask(&[]);
    report.found("failed", "rules", "broken.py");
    report.found("ok", "rules", "1 of 2 rules run");
    fs::remove_file(target.path("rules/broken.py")).unwrap();
    let report = ask(&["--python", "/nonexistent/python3"]);
    report.found("failed", "python", "/nonexistent/python3");
    report.found("failed", "rules", "without Python");
    report.found("ok", "state", "will be made");
    ask(&["--sandbox", "off"]).found("warning", "sandbox", "rules can read files");
    ask(&["--events-dir", "gone"]).found("failed", "directory", "cannot be read");
    let config = "version: 1\noutputs:\n  hook: {type: webhook, url: 'env:IOTA_TEST_HOOK'}\n  near: {type: webhook, url: 'http://127.0.0.1:9/x'}\n";
    fs::write(target.path("iota.yaml"), config).unwrap();
    let report = ask(&["--config", "iota.yaml"]);
    assert!(report.found("failed", "output", "the variable is not set").contains("env:IOTA_TEST_HOOK"));
    report.found("failed", "output", "127.0.0.1:9 is not reached");
    let held = Sqlite::open(&target.path("state")).unwrap();
    let report = ask(&[]);
    report.found("warning", "state", &format!("is in use by process {}", std::process::id()));
    report.found("ok", "state", "state is of version");
    drop(held);
    fs::write(
        target.path("state/iota.db"),
        "this is no database, and longer than a header of a hundred bytes would be if it were one after all",
    )
    .unwrap();
    ask(&[]).found("failed", "state", "no SQLite database");
    let ran = target.run(&url, &["doctor", "--config", "gone.yaml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("gone.yaml"), "{}", ran.stderr);
    assert_eq!(*requests.lock().unwrap(), Vec::<String>::new());
}
