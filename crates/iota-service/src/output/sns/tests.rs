use super::*;
use crate::aws::emulator::{Answer, Proxy, breaks_off, config, moto, untrusted};
use crate::output::sample::{check, check_retry_after, common, hostile, message, messages, with, words};
use serde_json::{Value, json};

/// A topic with a queue that takes what is published, raw.
async fn topic(name: &str) -> (String, aws_sdk_sqs::Client, String) {
    let (sns, sqs) = (Client::new(&config(moto())), aws_sdk_sqs::Client::new(&config(moto())));
    let fifo = name.ends_with(".fifo");
    let mut queue = sqs.create_queue().queue_name(name);
    let mut topic = sns.create_topic().name(name);
    if fifo {
        queue = queue.attributes(aws_sdk_sqs::types::QueueAttributeName::FifoQueue, "true");
        topic = topic.attributes("FifoTopic", "true");
    }
    let url = queue.send().await.unwrap().queue_url().unwrap().to_owned();
    let arn = topic.send().await.unwrap().topic_arn().unwrap().to_owned();
    let queue_arn = arn.replace(":sns:", ":sqs:");
    sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue_arn).send().await.unwrap();
    (arn, sqs, url)
}

fn output(topic_arn: &str, endpoint: &str) -> Sns {
    let mut sns =
        Sns::new(SnsConfig { topic_arn: topic_arn.to_owned(), redact: Redaction::default(), aws: Access::default() }).unwrap();
    sns.connection = Connection::ready(config(endpoint), Client::new);
    sns
}

async fn received(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<Value> {
    let answer = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
    answer.messages().iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn alerts_arrive_with_subject_and_attributes() {
    let (arn, sqs, url) = topic("sns-arrive").await;
    assert_eq!(words(&output(&arn, moto()).send(&messages(2)).await), ["delivered", "delivered"]);
    let received = received(&sqs, &url).await;
    assert_eq!(received.len(), 2);
    assert_eq!(
        received[0]["Subject"],
        "[HIGH] Security group sg-003dc7f1f1c686164 open to the internet for SSH (22) by chris... (truncated)"
    );
    assert_eq!(received[0]["MessageAttributes"]["severity"], json!({"Type": "String", "Value": "HIGH"}));
    assert_eq!(received[0]["MessageAttributes"]["rule"]["Value"], "aws.ec2.security-group-open-to-world");
    let alert: Value = serde_json::from_str(received[0]["Message"].as_str().unwrap()).unwrap();
    assert_eq!(alert["event"]["eventName"], "AuthorizeSecurityGroupIngress");
}

#[tokio::test]
async fn fifo_topics_get_group_and_deduplication_id() {
    let (arn, sqs, url) = topic("sns-fifo.fifo").await;
    let output = output(&arn, moto());
    for _ in 0..2 {
        assert_eq!(words(&output.send(&messages(1)).await), ["delivered"], "the second attempt is taken and dropped");
    }
    assert_eq!(received(&sqs, &url).await.len(), 1);
}

#[tokio::test]
async fn faults_are_told_apart() {
    let (arn, ..) = topic("sns-faults").await;
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let output = output(&arn, &proxy.url);
    let mut cases = common(|status, code| Answer::xml(status, code, "m"));
    cases.push((Answer::xml(400, "InvalidParameter", "Invalid parameter: Message too long"), "refused"));
    cases.push((Answer::xml(400, "InvalidParameter", "Invalid parameter: TopicArn"), "closed"));
    cases.push((Answer::xml(404, "NotFound", "Topic does not exist"), "closed"));
    check(&output, &proxy, |_| true, cases).await;
    check_retry_after(&output, &proxy).await;
    let missing = self::output("arn:aws:sns:eu-west-1:123456789012:missing", moto());
    assert_eq!(words(&missing.send(&messages(1)).await), ["closed"]);
    assert_eq!(
        words(&self::output(&arn, &untrusted().await).send(&messages(1)).await),
        ["closed"],
        "a certificate that nobody trusts"
    );
    assert_eq!(words(&self::output(&arn, &breaks_off().await).send(&messages(1)).await), ["retry"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_alone() {
    let (arn, ..) = topic("sns-unreadable").await;
    let mut batch = messages(2);
    batch[0].json = b"no JSON".to_vec();
    assert_eq!(words(&output(&arn, moto()).send(&batch).await), ["refused", "delivered"]);
}

fn publication(more: &Value) -> Publication {
    published(&with(more))
}

fn published(message: &Message) -> Publication {
    let alert = Alert::of(message, &Redaction::default()).unwrap();
    output("arn:aws:sns:eu-west-1:123456789012:t.fifo", "http://127.0.0.1:9").publication(message, &alert)
}

#[test]
fn a_publication_looks_like_this() {
    let mut published = serde_json::to_value(publication(&json!({}))).unwrap();
    published["message"] = serde_json::from_str(published["message"].as_str().unwrap()).unwrap();
    insta::assert_json_snapshot!("publication", published);
}

#[test]
fn subjects_are_ascii_on_one_line_and_at_most_100_characters() {
    let subject = |title: &str| publication(&json!({"title": title})).subject;
    assert_eq!(subject("Zoë\r\ndid\u{202e} it "), "[HIGH] Zo? did\\u{202e} it");
    let long = subject(&"x".repeat(500));
    assert!(long.len() == 100 && long.ends_with("... (truncated)"), "{long}");
    assert_eq!(subject(""), "[HIGH]");
}

#[test]
fn a_large_alert_is_trimmed_to_the_limit() {
    let large = "\u{FFFF}\"".repeat(60_000);
    let published = publication(&json!({"event": {"eventName": "X", "requestParameters": large}, "context": {"a": large}}));
    let attributes: usize = published.attributes.iter().map(|(name, text)| name.len() + 6 + text.len()).sum();
    let total = published.message.len() + attributes + published.subject.len();
    assert!(total <= 262_144, "{total}");
    assert!(published.message.contains("\"truncated\""));
    assert!(!published.message.contains('\u{FFFF}'));
    let _: Value = serde_json::from_str(&published.message).unwrap();
}

/// A chain of credentials that ends without any.
#[derive(Debug)]
struct Nothing;
impl aws_credential_types::provider::ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = aws_credential_types::provider::error::CredentialsError::not_loaded("none");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn without_credentials_the_output_is_closed() {
    let (arn, ..) = topic("sns-no-credentials").await;
    let mut sns = output(&arn, moto());
    let config = config(moto())
        .into_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(Nothing))
        .build();
    sns.connection = Connection::ready(config, Client::new);
    let sent = sns.send(&messages(1)).await;
    assert!(matches!(&sent[0], Sent::Closed { why } if why == "sns:Publish: no AWS credentials were found"), "{sent:?}");
}

#[test]
fn tests_and_canaries_are_marked() {
    for (purpose, word) in [(Purpose::Test, "test"), (Purpose::Canary, "canary")] {
        let published = published(&Message { purpose, ..with(&json!({})) });
        let mark = format!("[{}] ", word.to_uppercase());
        assert!(published.subject.starts_with(&format!("[HIGH] {mark}")), "{}", published.subject);
        assert!(published.attributes.contains(&("purpose", word.to_owned())));
        let alert: Value = serde_json::from_str(&published.message).unwrap();
        assert_eq!(alert["purpose"], word);
        assert!(alert["title"].as_str().unwrap().starts_with(&mark), "{alert:#}");
    }
}

#[tokio::test]
async fn hostile_text_stays_within_subject_attributes_and_message() {
    let published = published(&hostile());
    assert!(published.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && published.subject.len() <= 100);
    assert!(published.subject.starts_with(r#"[HIGH] a|b\c=d ]"e' ,;{} \u{1b}]0;x"#), "{}", published.subject);
    assert!(!published.message.chars().any(|letter| letter.is_control() || letter == '\u{FFFE}'));
    // What moto takes, it passes on; that AWS takes it is not shown by this.
    let (arn, sqs, url) = topic("sns-hostile").await;
    assert_eq!(words(&output(&arn, moto()).send(&[hostile(), message()]).await), ["delivered"; 2]);
    assert_eq!(received(&sqs, &url).await.len(), 2);
}
