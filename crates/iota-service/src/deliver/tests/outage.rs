//! Outputs that are down, closed or mended, and alarms about them.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Everything once. The first has found out that the output works again, the others come oldest first.
#[track_caller]
fn oldest_first_but_one(delivered: &[String], all: &[String]) {
    let (first, rest) = delivered.split_first().unwrap();
    assert_eq!(rest, all.iter().filter(|title| *title != first).cloned().collect::<Vec<_>>());
    assert!(all.contains(first));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_down_for_an_hour_delays_no_other_and_gets_everything_oldest_first() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    let down = world.output("down", |_, at| if at < HOUR { retry() } else { Sent::Delivered });
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    for n in 0..60 {
        world.alert("r", n, Severity::High, &["good", "down"]);
        sleep(Duration::from_secs(60)).await;
        let delay = good.delivered_at(&format!("r {n}")).unwrap() - i64::from(n) * MINUTE;
        assert!(delay < 100, "alert {n} took {delay} ms to the output that works");
    }
    sleep(Duration::from_secs(180)).await;
    let of_rule: Vec<_> = down.delivered().into_iter().filter(|title| title.starts_with("r ")).collect();
    oldest_first_but_one(&of_rule, &numbered("r", 0..60));
    assert!(down.delivered_at("r 59").unwrap() < HOUR + 2 * MINUTE);
    assert!(down.attempts() < 200, "{} attempts: a dead output is not hammered", down.attempts());
    let alarms = world.alerts_of(OUTPUT_FAILING);
    assert_eq!(alarms.len(), 1);
    assert_eq!(good.delivered().iter().filter(|title| title.starts_with("Nothing gets through to output down")).count(), 1);
    assert!(!down.delivered().contains(&alarms[0].title), "not told to the one that it is about");
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_keep_the_backlog_and_alarm_at_once() {
    let mut world = World::new();
    let other = world.output("other", |_, _| Sent::Delivered);
    let week = 7 * 24 * HOUR;
    let closed =
        world.output(
            "closed",
            move |_, at| {
                if at < week { Sent::Closed { why: "403 invalid_token".to_owned() } } else { Sent::Delivered }
            },
        );
    (0..20).for_each(|n| world.alert("r", n, Severity::Low, &["closed"]));
    world.run_for(MINUTE).await;
    assert_eq!(other.delivered(), ["Nothing gets through to output closed: 403 invalid_token"]);
    assert!(other.sent.lock().unwrap()[0].1 < 1_000, "told within a second");
    assert_eq!((world.backlog("closed").pending, world.backlog("closed").dead), (20, 0));
    world.run_for(week).await;
    assert_eq!((world.backlog("closed").pending, world.backlog("closed").dead), (0, 0), "a week is no reason to give up");
    oldest_first_but_one(&closed.delivered(), &numbered("r", 0..20));
}

/// What waited for a week of outage is not given up with the first failure after it.
#[tokio::test(start_paused = true)]
async fn the_age_of_an_outage_makes_no_dead_letters() {
    for again in [retry(), Sent::Closed { why: "403".to_owned() }] {
        let mut world = World::new();
        let week = 7 * 24 * HOUR;
        let flaps = AtomicU32::new(0);
        let out = world.output("out", move |_, at| match at {
            at if at < week => Sent::Closed { why: "403".to_owned() },
            // The first gets through, and then it fails once more.
            _ if flaps.fetch_add(1, Ordering::Relaxed) == 1 => again.clone(),
            _ => Sent::Delivered,
        });
        (0..20).for_each(|n| world.alert("r", n, Severity::Low, &["out"]));
        world.run_for(week + HOUR).await;
        assert_eq!((world.backlog("out").pending, world.backlog("out").dead, out.delivered().len()), (0, 0, 20));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_by_the_whole_output() {
    let mut world = World::new();
    let output = world.output("out", |_, at| match at {
        0..1_000 => Sent::Retry { after: Some(Duration::from_secs(90)), why: "429".to_owned() },
        _ => Sent::Delivered,
    });
    (0..3).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    world.run_for(2 * MINUTE).await;
    assert_eq!(output.attempts(), 4, "one was turned away, then all three");
    let first = output.delivered_at("r 1").unwrap();
    assert!((90_000..92_000).contains(&first), "{first}");
}

/// The state is busy for a moment just when an output is found to be down.
#[tokio::test(start_paused = true)]
async fn an_alarm_that_could_not_be_kept_is_raised_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World { store: Arc::new(Sqlite::open(directory.path()).unwrap()), ..World::new() };
    let other = world.output("other", |_, _| Sent::Delivered);
    world.output("closed", |_, _| Sent::Closed { why: "401".to_owned() });
    world.alert("r", 0, Severity::High, &["closed"]);
    let beside = rusqlite::Connection::open(directory.path().join("iota.db")).unwrap();
    let busy = "CREATE TRIGGER busy BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'busy'); END";
    beside.execute_batch(busy).unwrap();
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(other.attempts(), 0);
    beside.execute_batch("DROP TRIGGER busy").unwrap();
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(other.delivered(), ["Nothing gets through to output closed: 401"]);
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}

/// Nothing else is there to find out with.
#[tokio::test(start_paused = true)]
async fn the_only_alert_is_tried_as_soon_as_the_output_is() {
    let mut world = World::new();
    let tries = AtomicU32::new(0);
    let out = world.output("out", move |_, _| if tries.fetch_add(1, Ordering::Relaxed) < 5 { retry() } else { Sent::Delivered });
    world.alert("r", 0, Severity::High, &["out"]);
    world.run_for(5 * MINUTE).await;
    let at: Vec<i64> = out.sent.lock().unwrap().iter().map(|sent| sent.1).collect();
    assert_eq!(at.len(), 6);
    assert!(at[5] - at[4] < 5_100, "it counts as down with the fifth failure, and is tried 5 s after it: {at:?}");
}

#[tokio::test(start_paused = true)]
async fn what_failed_comes_with_the_first_that_gets_through() {
    let mut world = World::new();
    let out = world.output("out", |_, at| if at < 6_000 { retry() } else { Sent::Delivered });
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    (0..2).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    // Two attempts each: too few for it to count as down. The third ones are due from 7.5 s on.
    sleep(Duration::from_millis(6_001)).await;
    assert_eq!((out.attempts(), out.delivered().len()), (4, 0));
    world.alert("r", 2, Severity::High, &["out"]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(out.delivered(), ["r 2", "r 0", "r 1"]);
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}
