//! Calls to moto, as plain as they can be: without an SDK, and without a process for each.

use crate::harness::moto;
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other test has.
pub(crate) fn name(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// moto tells the service by what a request is signed for, and does not look at the signature.
pub(crate) fn call(service: &str, request: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let address = moto().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         {headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 20"), "{request}: {text}");
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(body)
}

pub(crate) struct Bucket(pub(crate) String);

impl Bucket {
    pub(crate) fn new() -> Self {
        let name = name("trail");
        call("s3", &format!("PUT /{name}"), "", b"");
        Self(name)
    }

    pub(crate) fn put(&self, key: &str, body: &[u8]) {
        call("s3", &format!("PUT /{}/{}", self.0, encoded(key)), "", body);
    }

    pub(crate) fn delete(&self, key: &str) {
        call("s3", &format!("DELETE /{}/{}", self.0, encoded(key)), "", b"");
    }

    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.0)
    }
}

/// As in the path of a request.
fn encoded(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(byte).collect()
}

pub(crate) struct Queue {
    pub(crate) url: String,
    /// URL of its dead-letter queue.
    dead: String,
}

pub(crate) fn sqs(operation: &str, body: &Json) -> Json {
    let headers = format!("X-Amz-Target: AmazonSQS.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n");
    let answer = call("sqs", "POST /", &headers, body.to_string().as_bytes());
    if answer.is_empty() { Json::Null } else { serde_json::from_slice(&answer).unwrap() }
}

impl Queue {
    /// With a dead-letter queue that takes what was received so often.
    pub(crate) fn new(receives: u32) -> Self {
        let name = name("queue");
        let make = |name: &str, attributes: Json| {
            let made = sqs("CreateQueue", &json!({"QueueName": name, "Attributes": attributes}));
            made["QueueUrl"].as_str().unwrap().to_owned()
        };
        let dead = make(&format!("{name}-dead"), json!({}));
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:{name}-dead");
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string();
        Self { url: make(&name, json!({"RedrivePolicy": policy})), dead }
    }

    pub(crate) fn send(&self, bodies: &[String]) {
        for bodies in bodies.chunks(10) {
            let entry = |(id, body): (usize, &String)| json!({"Id": id.to_string(), "MessageBody": body});
            let entries: Vec<Json> = bodies.iter().enumerate().map(entry).collect();
            let sent = sqs("SendMessageBatch", &json!({"QueueUrl": self.url, "Entries": entries}));
            assert_eq!(sent["Successful"].as_array().map(Vec::len), Some(bodies.len()), "{sent}");
        }
    }

    /// Messages that are visible, and those that are in flight.
    pub(crate) fn left(&self) -> (u64, u64) {
        Self::count(&self.url)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == (0, 0)
    }

    pub(crate) fn dead(&self) -> u64 {
        Self::count(&self.dead).0
    }

    fn count(url: &str) -> (u64, u64) {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let answer = sqs("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": names}));
        let number = |name: &str| answer["Attributes"][name].as_str().unwrap().parse().unwrap();
        (number(names[0]), number(names[1]))
    }
}
