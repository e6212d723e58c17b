use super::*;
use crate::telemetry::{QueueDepth, Sources};
use iota_engine::store::{Delivery, Limited, Result, Settled, StoreError};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use tokio::time::{advance, pause};

/// Says that it is asked, and answers when it is told what.
#[derive(Debug)]
struct Told {
    asked: tokio::sync::mpsc::UnboundedSender<()>,
    answers: Mutex<std::sync::mpsc::Receiver<Result<Vec<Backlog>>>>,
}

impl Outbox for Told {
    fn backlog(&self) -> Result<Vec<Backlog>> {
        self.asked.send(()).unwrap();
        lock(&self.answers).recv().unwrap()
    }

    fn lease(&self, _: &str, _: i64, _: i64, _: usize) -> Result<Vec<Delivery>> {
        unreachable!("metrics deliver nothing")
    }

    fn lease_of_another(&self, _: &str, _: i64, _: i64, _: &BTreeSet<(String, String)>) -> Result<Option<Delivery>> {
        unreachable!("metrics deliver nothing")
    }

    fn settle(&self, _: &Delivery, _: &Settled, _: i64) -> Result<bool> {
        unreachable!("metrics deliver nothing")
    }

    fn next_due(&self, _: &str) -> Result<Option<i64>> {
        unreachable!("metrics deliver nothing")
    }

    fn delivered_since(&self, _: &str, _: &str, _: &str, _: i64) -> Result<u64> {
        unreachable!("metrics deliver nothing")
    }

    fn limited_between(&self, _: i64, _: i64) -> Result<Vec<Limited>> {
        unreachable!("metrics deliver nothing")
    }

    fn hasten(&self, _: &str, _: i64, _: u32) -> Result<()> {
        unreachable!("metrics deliver nothing")
    }

    fn release(&self) -> Result<()> {
        unreachable!("metrics deliver nothing")
    }
}

struct World {
    metrics: Arc<Metrics>,
    stop: Arc<Stop>,
    asked: tokio::sync::mpsc::UnboundedReceiver<()>,
    answer: std::sync::mpsc::Sender<Result<Vec<Backlog>>>,
}

fn world() -> World {
    let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
    let (answer, answers) = std::sync::mpsc::channel();
    let stop = Arc::<Stop>::default();
    let metrics = Arc::new(Metrics::new(Arc::clone(&stop)));
    metrics.opened(Arc::new(Told { asked: asks, answers: Mutex::new(answers) }));
    World { metrics, stop, asked, answer }
}

fn snapshot(stats: Stats) -> Snapshot {
    Snapshot { stats, rules: 1, paused: Vec::new(), rounds: 1, rules_read_at: Timestamp::now() }
}

fn dead(count: u64) -> Vec<Backlog> {
    vec![Backlog { output: "out".to_owned(), dead: count, ..Backlog::default() }]
}

#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|said| said == *line), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_state_that_does_not_answer_keeps_no_scrape_waiting() {
    let mut world = world();
    let due = |metrics: &Metrics| lock(&metrics.deliveries).due = None;
    world.answer.send(Ok(dead(7))).unwrap();
    says(&world.metrics.text().await, &["iota_state_reachable 1", "iota_deliveries{output=\"out\",state=\"dead\"} 7"]);
    world.asked.recv().await.unwrap();

    pause();
    due(&world.metrics);
    for scrape in 0..3 {
        let text = tokio::spawn({
            let metrics = Arc::clone(&world.metrics);
            async move { metrics.text().await }
        });
        if scrape == 0 {
            world.asked.recv().await.unwrap();
        } else {
            tokio::task::yield_now().await;
        }
        // More than it waits: timers are no finer than a millisecond.
        advance(2 * ANSWER).await;
        let last = ["iota_state_reachable 0", "iota_deliveries{output=\"out\",state=\"dead\"} 7"];
        says(&text.await.unwrap(), &last);
    }
    assert!(world.asked.try_recv().is_err(), "it is asked once, however many wait");

    // What comes late is for the next one.
    world.answer.send(Ok(dead(8))).unwrap();
    says(&world.metrics.text().await, &["iota_state_reachable 1", "iota_deliveries{output=\"out\",state=\"dead\"} 8"]);
    due(&world.metrics);
    world.answer.send(Err(StoreError::Unavailable { what: "state".to_owned(), why: "down".to_owned() })).unwrap();
    says(&world.metrics.text().await, &["iota_state_reachable 0", "iota_deliveries{output=\"out\",state=\"dead\"} 8"]);
}

#[tokio::test]
async fn queues_have_their_depth() {
    let world = world();
    let mut sources = Sources::default();
    sources.queues.insert("https://sqs/q".to_owned(), QueueDepth { visible: 5, in_flight: 2 });
    let mut stats = Stats::new();
    stats.sources = Some(sources);
    world.metrics.publish(snapshot(stats));
    world.answer.send(Ok(Vec::new())).unwrap();
    let lines = [
        "iota_queue_messages{queue=\"https://sqs/q\",state=\"visible\"} 5",
        "iota_queue_messages{queue=\"https://sqs/q\",state=\"in_flight\"} 2",
    ];
    says(&world.metrics.text().await, &lines);
}

#[test]
fn probes_say_no_and_why() {
    let world = world();
    let address = world.metrics.serve(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.rsplit("\r\n\r\n").next().unwrap().to_owned())
    };
    let [ok, starting] = [(200, "ok\n".to_owned()), (503, "starting\n".to_owned())];
    assert_eq!((get("/healthz"), get("/readyz")), (ok.clone(), starting));
    world.metrics.publish(snapshot(Stats::new()));
    assert_eq!((get("/healthz"), get("/readyz")), (ok.clone(), ok.clone()));
    lock(&world.metrics.latest).at = Instant::now().checked_sub(ALIVE).unwrap();
    let stands = (503, "no round has ended for 15 minutes\n".to_owned());
    assert_eq!((get("/healthz"), get("/readyz")), (stands.clone(), stands));
    world.metrics.publish(snapshot(Stats::new()));
    world.stop.request();
    assert_eq!((get("/healthz"), get("/readyz")), (ok, (503, "ending\n".to_owned())), "work under way is ended first");
}
