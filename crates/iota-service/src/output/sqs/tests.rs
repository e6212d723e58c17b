use super::*;
use crate::aws::emulator::{Answer, Proxy, breaks_off, config, moto, untrusted};
use crate::output::Purpose;
use crate::output::sample::{HOSTILE, check, check_retry_after, common, hostile, id, message, messages, with, words};
use serde_json::{Value, json};

async fn queue(name: &str, size: Option<usize>) -> String {
    let client = Client::new(&config(moto()));
    let mut request = client.create_queue().queue_name(name);
    if is_fifo(name) {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    if let Some(size) = size {
        request = request.attributes(QueueAttributeName::MaximumMessageSize, size.to_string());
    }
    request.send().await.unwrap().queue_url().unwrap().to_owned()
}

fn output(queue_url: &str, endpoint: &str) -> Sqs {
    let mut sqs =
        Sqs::new(SqsConfig { queue_url: queue_url.to_owned(), redact: Redaction::default(), aws: Access::default() }).unwrap();
    sqs.connection = Connection::ready(config(endpoint), Client::new);
    sqs
}

async fn received(url: &str) -> Vec<Value> {
    let client = Client::new(&config(moto()));
    let mut found = Vec::new();
    loop {
        let answer = client.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
        if answer.messages().is_empty() {
            return found;
        }
        found.extend(answer.messages().iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()));
    }
}

#[tokio::test]
async fn batches_arrive_whole() {
    let url = queue("sqs-arrive", None).await;
    let output = output(&url, moto());
    assert_eq!(output.batch(), 10);
    assert_eq!(words(&output.send(&messages(10)).await), ["delivered"; 10]);
    assert_eq!(received(&url).await.len(), 10);
}

#[tokio::test]
async fn a_batch_is_cut_by_total_size() {
    let url = queue("sqs-size", Some(262_144)).await;
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let large: Vec<_> =
        (0..4).map(|n| with(&json!({"alert_id": id(n), "event": {"requestParameters": "x".repeat(100_000)}}))).collect();
    assert_eq!(words(&output(&url, &proxy.url).send(&large).await), ["delivered"; 4]);
    assert_eq!(proxy.count(), 3, "one for the attribute, two for the messages");
    let received = received(&url).await;
    assert!(received.len() == 4 && received.iter().all(|alert| alert["truncated"].is_null()));
}

#[tokio::test]
async fn an_alert_is_trimmed_to_what_the_queue_takes() {
    let url = queue("sqs-trim", Some(2048)).await;
    let event = json!({"event": {"eventName": "X", "requestParameters": "\u{FFFE}".repeat(3000)}});
    assert_eq!(words(&output(&url, moto()).send(&[with(&event)]).await), ["delivered"]);
    let received = received(&url).await;
    assert_eq!(received[0]["alert_id"], message().id.alert_id);
    assert!(received[0]["truncated"].is_array());
}

#[tokio::test]
async fn characters_outside_the_xml_set_arrive_as_they_are() {
    let url = queue("sqs-xml", None).await;
    let text = "a\u{1}b\u{FFFE}c\u{FFFF}d\u{1F600}\t";
    assert_eq!(words(&output(&url, moto()).send(&[with(&json!({"event": {"n": text}}))]).await), ["delivered"]);
    assert_eq!(received(&url).await[0]["event"]["n"], text);
}

#[tokio::test]
async fn only_what_failed_is_said_to_have_failed() {
    let url = queue("sqs-partial", None).await;
    let proxy = Proxy::start(|asked| match asked.operation.as_str() {
        "SendMessageBatch" => {
            let body: Value = serde_json::from_slice(&asked.body).unwrap();
            let entries = body["Entries"].as_array().unwrap();
            let failed =
                |n: usize, code: &str| json!({"Id": entries[n]["Id"], "SenderFault": code != "InternalError", "Code": code});
            let answer = json!({
                "Successful": [{"Id": entries[1]["Id"], "MessageId": "m", "MD5OfMessageBody": "d"}],
                "Failed": [failed(0, "InternalError"), failed(2, "InvalidMessageContents"), failed(3, "KmsDisabled")],
            });
            Answer::Instead(200, vec![("content-type", "application/x-amz-json-1.0".to_owned())], answer.to_string())
        }
        _ => Answer::Pass,
    })
    .await;
    let sent = output(&url, &proxy.url).send(&messages(5)).await;
    assert_eq!(words(&sent), ["retry", "delivered", "refused", "closed", "retry"], "the last is not mentioned");
}

#[tokio::test]
async fn fifo_queues_get_group_and_deduplication_id() {
    let url = queue("sqs-fifo.fifo", None).await;
    let output = output(&url, moto());
    for _ in 0..2 {
        assert_eq!(words(&output.send(&messages(3)).await), ["delivered"; 3], "the second attempt is taken and dropped");
    }
    let ids: Vec<_> = (0..3).map(id).collect();
    let mut seen = Vec::new();
    let client = Client::new(&config(moto()));
    loop {
        // A group is locked while a message of it is being worked on.
        let answer = client.receive_message().queue_url(&url).send().await.unwrap();
        let Some(message) = answer.messages().first() else { break };
        let alert: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        seen.push(alert["alert_id"].as_str().unwrap().to_owned());
        client.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
    assert_eq!(seen, ids, "in order, once");
}

#[tokio::test]
async fn faults_are_told_apart() {
    let url = queue("sqs-faults", None).await;
    let proxy = Proxy::start(|_| Answer::Pass).await;
    let faulty = output(&url, &proxy.url);
    let mut cases = common(Answer::json);
    cases.push((Answer::json(400, "BatchRequestTooLong"), "refused"));
    cases.push((Answer::json(400, "QueueDoesNotExist"), "closed"));
    check(&faulty, &proxy, |operation| operation == "SendMessageBatch", cases).await;
    check_retry_after(&faulty, &proxy).await;
    let missing = output(&format!("{}-missing", url.replace("sqs-faults", "gone")), moto());
    assert_eq!(words(&missing.send(&messages(1)).await), ["closed"]);
    assert_eq!(
        words(&self::output(&url, &untrusted().await).send(&messages(1)).await),
        ["closed"],
        "a certificate that nobody trusts"
    );
    assert_eq!(words(&self::output(&url, &breaks_off().await).send(&messages(1)).await), ["retry"]);
}

#[tokio::test]
async fn without_permission_to_ask_for_the_size_the_smaller_one_is_kept() {
    let url = queue("sqs-no-attributes", None).await;
    let proxy = Proxy::start(|asked| match asked.operation.as_str() {
        "GetQueueAttributes" => Answer::json(403, "AccessDeniedException"),
        _ => Answer::Pass,
    })
    .await;
    let output = output(&url, &proxy.url);
    assert_eq!(words(&output.send(&messages(1)).await), ["delivered"]);
    assert_eq!(output.size.get(), Some(&SIZE));
    proxy.set(|_| Answer::json(500, "InternalFailure"));
    let other = self::output(&url, &proxy.url);
    assert_eq!(words(&other.send(&messages(2)).await), ["retry"; 2]);
    assert_eq!(other.size.get(), None, "asked again the next time");
}

#[tokio::test]
async fn tests_and_canaries_are_marked_and_what_is_redacted_does_not_arrive() {
    let url = queue("sqs-marked", None).await;
    let mut output = output(&url, moto());
    output.redact = Redaction::new(&["event.requestParameters".to_owned(), "actor".to_owned()]).unwrap();
    for (purpose, word) in [(Purpose::Test, "test"), (Purpose::Canary, "canary")] {
        assert_eq!(words(&output.send(&[Message { purpose, ..message() }]).await), ["delivered"]);
        let alert = received(&url).await.remove(0);
        assert_eq!(alert["purpose"], word);
        assert!(alert["title"].as_str().unwrap().starts_with(&format!("[{}] ", word.to_uppercase())), "{alert:#}");
        assert_eq!(alert["event"]["requestParameters"], "[redacted]");
        assert_eq!(alert["actor"], "[redacted]");
    }
}

#[tokio::test]
async fn a_message_looks_like_this() {
    let url = queue("sqs-snapshot", None).await;
    assert_eq!(words(&output(&url, moto()).send(&[message()]).await), ["delivered"]);
    insta::assert_json_snapshot!("message", received(&url).await[0]);
}

#[tokio::test]
async fn hostile_text_arrives_as_it_is() {
    let url = queue("sqs-hostile", None).await;
    assert_eq!(words(&output(&url, moto()).send(&[hostile()]).await), ["delivered"]);
    let answer = Client::new(&config(moto())).receive_message().queue_url(&url).send().await.unwrap();
    let body = answer.messages()[0].body().unwrap();
    let alert: Value = serde_json::from_str(&body.replace("\\ud800", "?")).unwrap();
    assert_eq!((&alert["title"], &alert["event"][HOSTILE]), (&json!(HOSTILE), &json!(HOSTILE)));
}
