//! A proxy in front of moto that answers wrongly, as a script says.

use crate::harness::moto;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Pass,
    /// Status and code, in the shape of the service.
    Error(u16, &'static str),
    /// The same of S3, with this message.
    Says(u16, &'static str, &'static str),
    /// To this region.
    Redirect(&'static str),
    /// This many bytes of the answer, then the connection ends.
    Cut(usize),
    /// moto does what was asked, and the connection ends before the answer.
    CutAfter,
    /// Piece by piece.
    Slow,
    /// This document, where moto does not know what AWS answers.
    Xml(&'static str),
    /// The same in JSON.
    Json(&'static str),
    /// By moto, with another `Date`.
    Dated(&'static str),
}

/// What a script is told: of S3 the request's first line and the region that it is signed for, of other services the
/// operation; and how often the same came before.
pub(crate) type Script = dyn Fn(&str, u32) -> Answer + Send + Sync;

pub(crate) fn proxy(script: impl Fn(&str, u32) -> Answer + Send + Sync + 'static) -> String {
    recording(script).0
}

/// Each request, head and body, as it came.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// Also gives what is asked.
pub(crate) fn recording(script: impl Fn(&str, u32) -> Answer + Send + Sync + 'static) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (script, seen) = (Arc::new(script), Arc::new(Mutex::new(HashMap::<String, u32>::new())));
    let requests = Requests::default();
    let record = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (script, seen, record) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&record));
            thread::spawn(move || {
                let _ = serve(stream, &*script, &seen, &record);
            });
        }
    });
    (url, requests)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of =
        |line: &'a str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    head.lines().find_map(of)
}

fn serve(
    mut client: TcpStream,
    script: &Script,
    seen: &Mutex<HashMap<String, u32>>,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    // STS and SNS name it in a form.
    let form = String::from_utf8_lossy(&body).into_owned();
    requests.lock().unwrap().push(format!("{head}{form}"));
    let action = form.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    let operation = header(&head, "x-amz-target").and_then(|target| target.rsplit('.').next());
    let signed = header(&head, "authorization").and_then(|text| text.split('/').nth(2)).unwrap_or_default();
    let line = head.lines().next().unwrap_or_default();
    let asked = operation.or(action).map_or_else(|| format!("{line} {signed}"), str::to_owned);
    let before = {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(asked.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let answer = script(&asked, before);
    let instead = |status: u16, headers: &str, kind: &str, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let says = |code: &str, message: &str| {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    let xml = |code: &str| says(code, "as told");
    match answer {
        Answer::Error(status, code) if operation.is_some() => {
            let body = format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"as told\"}}");
            let headers = format!("x-amzn-errortype: {code}\r\n");
            return client.write_all(instead(status, &headers, "application/x-amz-json-1.0", &body).as_bytes());
        }
        Answer::Error(status, code) if action.is_some() => {
            let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>as told</Message></Error>");
            let body = format!("<ErrorResponse>{error}</ErrorResponse>");
            return client.write_all(instead(status, "", "text/xml", &body).as_bytes());
        }
        Answer::Error(status, code) => {
            return client.write_all(instead(status, "", "application/xml", &xml(code)).as_bytes());
        }
        Answer::Says(status, code, message) => {
            return client.write_all(instead(status, "", "application/xml", &says(code, message)).as_bytes());
        }
        Answer::Xml(document) => {
            return client.write_all(instead(200, "", "application/xml", document).as_bytes());
        }
        Answer::Json(document) => {
            return client.write_all(instead(200, "", "application/x-amz-json-1.0", document).as_bytes());
        }
        Answer::Redirect(region) => {
            let headers = format!("x-amz-bucket-region: {region}\r\n");
            return client.write_all(instead(301, &headers, "application/xml", &xml("PermanentRedirect")).as_bytes());
        }
        _ => {}
    }
    let mut server = TcpStream::connect(moto().trim_start_matches("http://"))?;
    let (first, rest) = head.split_once("\r\n").unwrap_or_default();
    let rest: String =
        rest.lines().filter(|line| !line.to_lowercase().starts_with("connection:")).flat_map(|line| [line, "\r\n"]).collect();
    server.write_all(format!("{first}\r\nConnection: close\r\n{rest}").as_bytes())?;
    server.write_all(&body)?;
    let mut whole = Vec::new();
    server.read_to_end(&mut whole)?;
    match answer {
        Answer::Cut(bytes) => client.write_all(&whole[..bytes.min(whole.len())]),
        Answer::CutAfter => Ok(()),
        Answer::Dated(date) => {
            let at = whole.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(whole.len());
            let head = String::from_utf8_lossy(&whole[..at]).into_owned();
            let other = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
            let head: String = other.flat_map(|line| [line, "\r\n"]).collect();
            client.write_all(format!("{head}Date: {date}").as_bytes())?;
            client.write_all(&whole[at..])
        }
        Answer::Slow => whole.chunks(whole.len().div_ceil(8).max(1)).try_for_each(|piece| {
            thread::sleep(Duration::from_millis(50));
            client.write_all(piece)
        }),
        Answer::Pass | Answer::Error(..) | Answer::Says(..) | Answer::Xml(_) | Answer::Json(_) | Answer::Redirect(_) => {
            client.write_all(&whole)
        }
    }
}
