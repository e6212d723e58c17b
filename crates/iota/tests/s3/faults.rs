//! A proxy in front of moto that answers wrongly: what may pass is repeated, what may not is said, and nothing is lost.

use crate::harness::{Seed, Target, gzip, key, log, moto, record};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ACCOUNT: &str = "111122223333";

#[derive(Clone, Copy)]
enum Answer {
    Pass,
    /// Status and code, in the shape of S3.
    Error(u16, &'static str),
    /// This many bytes of the answer, then the connection ends.
    Cut(usize),
    /// Piece by piece.
    Slow,
}

/// `script` is told the request's first line and how often the same one came before.
fn proxy(script: impl Fn(&str, u32) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (script, seen) = (Arc::new(script), Arc::new(Mutex::new(HashMap::<String, u32>::new())));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
            thread::spawn(move || {
                let _ = serve(stream, &*script, &seen);
            });
        }
    });
    url
}

fn serve(mut client: TcpStream, script: &dyn Fn(&str, u32) -> Answer, seen: &Mutex<HashMap<String, u32>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    let before = {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(line.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let answer = script(&line, before);
    if let Answer::Error(status, code) = answer {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as told</Message></Error>");
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        return client.write_all((head + &body).as_bytes());
    }
    let mut server = TcpStream::connect(moto().trim_start_matches("http://"))?;
    let (first, rest) = head.split_once("\r\n").unwrap_or_default();
    let rest: String =
        rest.lines().filter(|line| !line.to_lowercase().starts_with("connection:")).flat_map(|line| [line, "\r\n"]).collect();
    server.write_all(format!("{first}\r\nConnection: close\r\n{rest}").as_bytes())?;
    let mut whole = Vec::new();
    server.read_to_end(&mut whole)?;
    match answer {
        Answer::Cut(bytes) => client.write_all(&whole[..bytes.min(whole.len())]),
        Answer::Slow => whole.chunks(whole.len().div_ceil(8).max(1)).try_for_each(|piece| {
            thread::sleep(Duration::from_millis(50));
            client.write_all(piece)
        }),
        Answer::Pass | Answer::Error(..) => client.write_all(&whole),
    }
}

/// A bucket with a small and a large object.
fn bucket() -> (String, Vec<String>) {
    let mut seed = Seed::default();
    seed.put(&key(ACCOUNT, "us-east-1", "small"), &log(&["small"]));
    // Random, so that it stays large.
    let mut noise = 1_u64;
    let mut ids = Vec::new();
    let mut records = Vec::new();
    for n in 0..2000 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ids.push(format!("{n:04}"));
        records.push(record(&ids[n]).replace("\"X\"", &format!("\"{noise:x}{:x}\"", noise.rotate_left(13))));
    }
    seed.put(&key(ACCOUNT, "us-east-1", "large"), &gzip(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes()));
    ids.push("small".to_owned());
    (format!("s3://{}", seed.plant()), ids)
}

#[test]
fn what_passes_costs_nothing_but_time() {
    type Script = fn(&str, u32) -> Answer;
    let (bucket, ids) = bucket();
    let scripts: [(&str, Script); 7] = [
        ("slow down", |_, before| if before < 2 { Answer::Error(503, "SlowDown") } else { Answer::Pass }),
        ("an internal error", |_, before| if before == 0 { Answer::Error(500, "InternalError") } else { Answer::Pass }),
        ("throttled keys", |line, before| {
            if before == 0 && line.contains(".json.gz") { Answer::Error(400, "KMS.ThrottlingException") } else { Answer::Pass }
        }),
        ("no answer", |_, before| if before == 0 { Answer::Cut(0) } else { Answer::Pass }),
        ("cut in the head", |_, before| if before == 0 { Answer::Cut(40) } else { Answer::Pass }),
        // Each further request is for what is left, and is cut as well.
        ("cut in the body", |line, before| if before < 4 && line.contains("large") { Answer::Cut(9000) } else { Answer::Pass }),
        ("slow", |_, _| Answer::Slow),
    ];
    for (name, script) in scripts {
        let target = Target::new();
        let ran = target.ingest_from(&proxy(script), &[&bucket]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert_eq!(target.ids(), ids, "{name}");
    }
}

#[test]
fn what_does_not_pass_fails_only_itself_and_is_tried_again_by_the_next_run() {
    let (bucket, ids) = bucket();
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (412, "PreconditionFailed")] {
        let target = Target::new();
        let url = proxy(move |line, _| if line.contains("small") { Answer::Error(status, code) } else { Answer::Pass });
        let ran = target.ingest_from(&url, &[&bucket]);
        assert_eq!((ran.code, ran.count("objects_failed"), ran.count("objects_read")), (Some(2), 1, 1), "{code}: {}", ran.stderr);
        assert!(ran.stderr.contains("small.json.gz"), "{}", ran.stderr);
        assert_eq!(target.ids().len(), ids.len() - 1);
        let again = target.ingest(&[&bucket]);
        assert_eq!((again.code, again.count("objects_read")), (Some(0), 1), "{}", again.stderr);
        assert_eq!(target.ids(), ids, "{code}");
    }
}

#[test]
fn a_list_that_is_denied_ends_the_run_and_says_what_is_missing() {
    let (bucket, _) = bucket();
    let target = Target::new();
    let ran = target.ingest_from(&proxy(|_, _| Answer::Error(403, "AccessDenied")), &[&bucket]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("s3:ListBucket: AccessDenied"), "{}", ran.stderr);
}

#[test]
fn when_everything_is_denied_the_rest_is_not_tried() {
    let mut seed = Seed::default();
    for n in 0..40 {
        seed.put(&key(ACCOUNT, "us-east-1", &format!("{n:02}")), &log(&["x"]));
    }
    let bucket = format!("s3://{}", seed.plant());
    let target = Target::new();
    let denied = |line: &str, _| if line.contains(".json.gz") { Answer::Error(403, "AccessDenied") } else { Answer::Pass };
    let ran = target.ingest_from(&proxy(denied), &[&bucket]);
    assert_eq!((ran.code, ran.count("objects_failed")), (Some(2), 10), "{}", ran.stderr);
    assert!(ran.stderr.contains("s3:GetObject: AccessDenied") && ran.stderr.contains("in a row"), "{}", ran.stderr);
}
