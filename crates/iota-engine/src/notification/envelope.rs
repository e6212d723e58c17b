//! From the body of a message to its parts, through any nesting of SNS, SQS, EventBridge and S3 envelopes.

use super::key::{either, encoded};
use super::{Ignored, Notification, ObjectRef, Unsupported};
use crate::region::is_region;
use serde_json::{Map, Value as Json};

/// Envelopes inside one another that are opened. The deepest that AWS builds is four: SQS, SNS, EventBridge, S3.
const DEEPEST: usize = 8;

/// `detail-type` of events that CloudTrail itself puts on the bus. Insights are among them: the decoder knows and skips
/// them, and counts them as what they are.
const CLOUDTRAIL_EVENTS: [&str; 4] = [
    "AWS API Call via CloudTrail",
    "AWS Console Sign In via CloudTrail",
    "AWS Service Event via CloudTrail",
    "AWS Insight via CloudTrail",
];

/// The literal text that CloudTrail sends to a topic.
const VALIDATION_MESSAGE: &str = "CloudTrail validation message.";

/// Reads the body of a message. Everything in it comes out somewhere.
pub fn parse(body: &str) -> Notification {
    let mut found = Notification::default();
    text(body, DEEPEST, &mut found);
    found
}

/// A body, or a text inside an envelope that holds another one.
fn text(body: &str, depth: usize, found: &mut Notification) {
    if body.trim() == VALIDATION_MESSAGE {
        found.ignored.push(Ignored::ValidationMessage);
        return;
    }
    match serde_json::from_str::<Json>(body) {
        Ok(Json::Object(object)) if depth > 0 => envelope(&object, body, depth - 1, found),
        // A message that was made a JSON text once more.
        Ok(Json::String(inner)) if depth > 0 => text(&inner, depth - 1, found),
        Ok(value) => unknown(found, if depth == 0 { "envelopes nested too deeply" } else { kind(&value) }),
        Err(_) => unknown(found, "not JSON"),
    }
}

fn envelope(object: &Map<String, Json>, body: &str, depth: usize, found: &mut Notification) {
    let word = |name: &str| object.get(name).and_then(Json::as_str);
    match (word("Type"), word("Message")) {
        (Some("Notification"), Some(message)) => return text(message, depth, found),
        (Some("SubscriptionConfirmation" | "UnsubscribeConfirmation"), _) => return found.ignored.push(Ignored::Subscription),
        _ => {}
    }
    if word("Event") == Some("s3:TestEvent") {
        return found.ignored.push(Ignored::TestEvent);
    }
    if let (Some(bucket), Some(keys)) = (word("s3Bucket"), object.get("s3ObjectKey").and_then(Json::as_array)) {
        return own_topic(bucket, keys, found);
    }
    if let (Some(detail_type), Some(detail)) = (word("detail-type"), object.get("detail").and_then(Json::as_object)) {
        return event(detail_type, object, detail, body, found);
    }
    match object.get("Records") {
        Some(Json::Array(records)) if records.is_empty() => found.ignored.push(Ignored::Empty),
        Some(Json::Null) => found.ignored.push(Ignored::Empty),
        Some(Json::Array(records)) => records.iter().for_each(|part| record(part, depth, found)),
        _ => unknown(found, &shape(object)),
    }
}

/// An entry of `Records`: of S3, or of SQS or SNS as a function receives them.
fn record(part: &Json, depth: usize, found: &mut Notification) {
    let Some(object) = part.as_object() else { return unknown(found, &format!("Records: {}", kind(part))) };
    let word = |name: &str| object.get(name).and_then(Json::as_str);
    if let Some(s3) = object.get("s3").and_then(Json::as_object) {
        let Some(name) = word("eventName") else { return unknown(found, "Records: s3 without eventName") };
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            return found.ignored.push(Ignored::NotCreated);
        }
        let (bucket, entry) = (text_in(s3, "bucket", "name"), s3.get("object").and_then(Json::as_object));
        return match (bucket, entry.and_then(|entry| Some((entry, entry.get("key")?.as_str()?)))) {
            (Some(bucket), Some((entry, key))) if !key.is_empty() => created(
                found,
                ObjectRef {
                    bucket: bucket.to_owned(),
                    keys: encoded(key),
                    region: region_of(object, "awsRegion"),
                    etag: text_of(entry, "eTag"),
                    size: entry.get("size").and_then(Json::as_u64),
                },
            ),
            _ => unknown(found, "Records: s3 without bucket and key"),
        };
    }
    if let Some(body) = word("body") {
        return text(body, depth, found);
    }
    match object.get("Sns").and_then(|sns| sns.get("Message")).and_then(Json::as_str) {
        Some(message) => text(message, depth, found),
        None => unknown(found, &format!("Records: {}", shape(object))),
    }
}

/// `{"s3Bucket": "b", "s3ObjectKey": ["k1", "k2"]}`: what CloudTrail itself sends to a topic.
fn own_topic(bucket: &str, keys: &[Json], found: &mut Notification) {
    if keys.is_empty() {
        found.ignored.push(Ignored::Empty);
    }
    for key in keys {
        match key.as_str().filter(|key| !key.is_empty()) {
            Some(key) => {
                let keys = either(key);
                created(found, ObjectRef { bucket: bucket.to_owned(), keys, region: None, etag: None, size: None });
            }
            None => unknown(found, "s3ObjectKey: an entry that is no text"),
        }
    }
}

/// An EventBridge event.
fn event(detail_type: &str, object: &Map<String, Json>, detail: &Map<String, Json>, body: &str, found: &mut Notification) {
    if CLOUDTRAIL_EVENTS.contains(&detail_type) {
        return found.events.push(body.to_owned());
    }
    match object.get("source").and_then(Json::as_str) {
        Some("aws.s3") => {}
        // One that is not known yet, with an event in it that nobody has seen.
        _ if detail_type.ends_with(" via CloudTrail") => return unknown(found, &format!("EventBridge: {detail_type}")),
        None => return unknown(found, "EventBridge: no source"),
        Some(_) => return found.ignored.push(Ignored::OtherEvent),
    }
    if detail_type != "Object Created" {
        return found.ignored.push(Ignored::NotCreated);
    }
    let entry = detail.get("object").and_then(Json::as_object);
    let key = entry.and_then(|entry| Some((entry, entry.get("key")?.as_str()?)));
    match (text_in(detail, "bucket", "name"), key) {
        (Some(bucket), Some((entry, key))) if !key.is_empty() => created(
            found,
            ObjectRef {
                bucket: bucket.to_owned(),
                keys: either(key),
                region: region_of(object, "region"),
                etag: text_of(entry, "etag"),
                size: entry.get("size").and_then(Json::as_u64),
            },
        ),
        _ => unknown(found, "Object Created without bucket and key"),
    }
}

/// Security Lake is told by its layout: its notifications are S3's own.
fn created(found: &mut Notification, object: ObjectRef) {
    let partitions = ["region=", "accountId=", "eventDay="];
    let lake = |key: &String| partitions.iter().all(|part| key.split('/').any(|folder| folder.starts_with(part)));
    if object.keys.iter().any(lake) {
        found.unsupported.insert(Unsupported::SecurityLake);
    } else {
        found.objects.push(object);
    }
}

fn unknown(found: &mut Notification, what: &str) {
    found.unknown.insert(what.to_owned());
}

/// Names of the members, as far as they tell one shape from another: without values, which differ in every message.
fn shape(object: &Map<String, Json>) -> String {
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    let names: Vec<String> = names.iter().take(12).map(|name| name.chars().take(40).collect()).collect();
    format!("an object with {}", if names.is_empty() { "no members".to_owned() } else { names.join(", ") })
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

fn text_of(object: &Map<String, Json>, name: &str) -> Option<String> {
    object.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// Only a hint: S3 says where a bucket is that is looked for elsewhere.
fn region_of(object: &Map<String, Json>, name: &str) -> Option<String> {
    text_of(object, name).filter(|region| is_region(region))
}

fn text_in<'a>(object: &'a Map<String, Json>, outer: &str, name: &str) -> Option<&'a str> {
    object.get(outer)?.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Bucket and keys of every object, what is ignored, and whether the message may be deleted.
    type Told = (Vec<(String, Vec<String>)>, Vec<Ignored>, bool);

    fn told(body: &str) -> Told {
        let found = parse(body);
        let objects = found.objects.iter().map(|object| (object.bucket.clone(), object.keys.clone())).collect();
        (objects, found.ignored.clone(), found.is_understood())
    }

    fn one(bucket: &str, keys: &[&str]) -> Told {
        (vec![(bucket.to_owned(), keys.iter().map(|&key| key.to_owned()).collect())], vec![], true)
    }

    fn file(name: &str) -> String {
        let path = format!("{}/../../testdata/formats/notifications/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    fn s3(key: &str, event: &str) -> Json {
        json!({"eventSource": "aws:s3", "eventName": event, "awsRegion": "eu-west-1",
               "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 7, "eTag": "e", "versionId": "v"}}})
    }

    fn sns(message: &Json) -> String {
        json!({"Type": "Notification", "Message": message.to_string()}).to_string()
    }

    #[test]
    fn real_messages() {
        let lambda = one("lambda-artifacts-deafc19498e3f2df", &["b21b84d653bb07b05b1e6b33684dc11b"]);
        for (name, expected) in [
            ("s3-event-object-created", lambda.clone()),
            ("s3-event-urlencoded-key", one("ct-siem-sync", &["my file=a.json.gz"])),
            ("sns-s3-event", lambda.clone()),
            ("sqs-s3-event", lambda.clone()),
            ("sqs-sns-event", lambda.clone()),
            ("s3-test-event", (vec![], vec![Ignored::TestEvent], true)),
            ("sns-s3-test-event", (vec![], vec![Ignored::TestEvent], true)),
            ("eventbridge-object-created", one("amzn-s3-demo-bucket1", &["example-key"])),
            ("eventbridge-object-created-plus-key", one("ct-siem-sync", &["my+file.json.gz", "my file.json.gz"])),
            ("eventbridge-object-deleted", (vec![], vec![Ignored::NotCreated], true)),
            ("eventbridge-object-restore-completed", (vec![], vec![Ignored::NotCreated], true)),
            ("eventbridge-object-annotation-created", (vec![], vec![Ignored::NotCreated], true)),
        ] {
            assert_eq!(told(&file(name)), expected, "{name}");
        }
        let (objects, _, understood) = told(&file("sqs-batch-partial-garbage"));
        assert!(!objects.is_empty() && !understood, "what is good in a batch is read, and the message stays");
    }

    #[test]
    fn shapes_in_any_nesting() {
        let created = json!({"Records": [s3("a+b%2B", "ObjectCreated:CompleteMultipartUpload")]});
        let own = json!({"s3Bucket": "b", "s3ObjectKey": ["k1", "k+2"]});
        let bridge = json!({"detail-type": "Object Created", "source": "aws.s3", "region": "eu-west-1",
                            "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
        let both = (
            vec![("b".to_owned(), vec!["k1".to_owned()]), ("b".to_owned(), vec!["k+2".to_owned(), "k 2".to_owned()])],
            vec![],
            true,
        );
        for (body, expected) in [
            (created.to_string(), one("b", &["a b+"])),
            (sns(&created), one("b", &["a b+"])),
            (sns(&json!({"Records": [{"body": sns(&created)}]})), one("b", &["a b+"])),
            (json!(sns(&created)).to_string(), one("b", &["a b+"])),
            (own.to_string(), both.clone()),
            (sns(&own), both),
            (sns(&bridge), one("b", &["k"])),
            (
                json!({"Type": "Notification", "Message": "CloudTrail validation message."}).to_string(),
                (vec![], vec![Ignored::ValidationMessage], true),
            ),
            ("CloudTrail validation message.".to_owned(), (vec![], vec![Ignored::ValidationMessage], true)),
            (
                json!({"Type": "SubscriptionConfirmation", "Message": "x", "SubscribeURL": "y"}).to_string(),
                (vec![], vec![Ignored::Subscription], true),
            ),
            (json!({"Records": [s3("k", "ObjectRemoved:Delete")]}).to_string(), (vec![], vec![Ignored::NotCreated], true)),
            (json!({"Records": []}).to_string(), (vec![], vec![Ignored::Empty], true)),
            (json!({"Records": null}).to_string(), (vec![], vec![Ignored::Empty], true)),
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}).to_string(),
                (vec![], vec![Ignored::OtherEvent], true),
            ),
        ] {
            assert_eq!(told(&body), expected, "{body}");
        }
    }

    #[test]
    fn only_a_region_is_taken_for_one() {
        for (said, expected) in
            [("eu-west-1", Some("eu-west-1")), ("eu-west-1.evil.example", None), ("evil.example/", None), ("", None)]
        {
            let mut created = json!({"Records": [s3("k", "ObjectCreated:Put")]});
            created["Records"][0]["awsRegion"] = json!(said);
            let bridge = json!({"detail-type": "Object Created", "source": "aws.s3", "region": said,
                                "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}});
            for body in [created, bridge] {
                let found = parse(&body.to_string());
                assert_eq!(found.objects[0].region.as_deref(), expected, "{body}");
            }
        }
    }

    #[test]
    fn an_event_of_the_bus_goes_to_the_decoder_whole() {
        for detail_type in CLOUDTRAIL_EVENTS {
            let body = json!({"detail-type": detail_type, "source": "aws.signin", "detail": {"eventID": "e"}});
            assert_eq!(parse(&sns(&body)).events, [body.to_string()]);
        }
    }

    #[test]
    fn what_is_not_understood_stays_in_the_queue() {
        let lake =
            s3("aws/CLOUD_TRAIL_MGMT/2.0/region=eu-west-1/accountId=1/eventDay=20250101/x.gz.parquet", "ObjectCreated:Put");
        assert_eq!(parse(&json!({"Records": [lake]}).to_string()).unsupported, [Unsupported::SecurityLake].into());
        let bad = json!({"Records": [s3("k", "ObjectCreated:Put"), {"s3": {"bucket": {}}, "eventName": "ObjectCreated:Put"}, 7, {"a": 1}]});
        let found = parse(&bad.to_string());
        assert_eq!(found.objects.len(), 1, "the good part is read");
        let shapes: Vec<&str> = found.unknown.iter().map(String::as_str).collect();
        assert_eq!(shapes, ["Records: a number", "Records: an object with a", "Records: s3 without bucket and key"]);
        for (body, shape) in [
            ("", "not JSON"),
            ("hello", "not JSON"),
            ("[]", "an array"),
            ("{}", "an object with no members"),
            (r#"{"b": 1, "a": 2}"#, "an object with a, b"),
            (r#"{"s3Bucket": "b", "s3ObjectKey": [1]}"#, "s3ObjectKey: an entry that is no text"),
            (r#"{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}"#, "Records: s3 without eventName"),
            (
                r#"{"detail-type": "AWS News via CloudTrail", "source": "aws.x", "detail": {}}"#,
                "EventBridge: AWS News via CloudTrail",
            ),
            (r#"{"detail-type": "Object Created", "detail": {}}"#, "EventBridge: no source"),
        ] {
            assert_eq!(parse(body).unknown, [shape.to_owned()].into(), "{body}");
        }
        let deep = (0..20).fold(created_text(), |inner, _| json!({"Type": "Notification", "Message": inner}).to_string());
        assert_eq!(parse(&deep).unknown, ["envelopes nested too deeply".to_owned()].into());
    }

    fn created_text() -> String {
        json!({"Records": [s3("k", "ObjectCreated:Put")]}).to_string()
    }

    proptest! {
        #[test]
        fn nothing_comes_out_of_nowhere_and_nothing_gets_lost(body in ".{0,200}", keys in proptest::collection::vec("[a-z+% ]{0,8}", 0..5)) {
            let found = parse(&body);
            prop_assert!(found != Notification::default(), "{body:?} came out nowhere");
            let records: Vec<Json> = keys.iter().map(|key| s3(key, "ObjectCreated:Put")).collect();
            let found = parse(&json!({"Records": records}).to_string());
            let whole = keys.iter().filter(|key| !key.is_empty()).count();
            prop_assert_eq!(found.objects.len(), whole);
            prop_assert_eq!(found.is_understood(), whole == keys.len());
        }
    }
}
