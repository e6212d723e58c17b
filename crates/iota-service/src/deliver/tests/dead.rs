//! What goes to the dead letters, and what does not.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_keeps_failing_dies_alone() {
    let mut world = World::new();
    let output = world.output("out", |message, _| {
        let json = String::from_utf8_lossy(&message.json).into_owned();
        match () {
            () if json.contains("\"r 3\"") => Sent::Refused { why: "400 invalid_blocks".to_owned() },
            () if json.contains("\"r 4\"") => retry(),
            () => Sent::Delivered,
        }
    });
    (0..6).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    // Others get through all the time, so the one that fails is to blame.
    for n in 0..(10 * 60) {
        sleep(Duration::from_secs(60)).await;
        world.alert("s", n, Severity::Critical, &["out"]);
    }
    sleep(Duration::from_secs(1)).await;
    let dead = world.store.dead(&DeadFilter::default()).unwrap();
    let why: Vec<_> = dead.iter().map(|delivery| (delivery.attempts, delivery.last_error.clone().unwrap())).collect();
    let given_up = "given up after 100 attempts in 6 h; the last one: connection refused";
    assert_eq!(why[0], (1, "400 invalid_blocks".to_owned()));
    assert!(
        why[1].1.starts_with("given up after 100 attempts in ") && why[1].1.ends_with("h; the last one: connection refused"),
        "{why:?} {given_up}"
    );
    assert_eq!(why.len(), 2);
    assert_eq!(output.delivered().len(), 4 + 600);
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
    // Somebody redrives them; the one is refused again.
    assert_eq!(world.redrive(), 2);
    let drained = world.drain().await;
    assert_eq!((drained.pending(), drained.dead()), (1, 1), "the retry is further off than draining waits for");
}

#[tokio::test(start_paused = true)]
async fn however_few_attempts_are_allowed_an_outage_makes_no_dead_letters() {
    let mut world = World::new();
    world.policy.max_attempts = 2;
    world.output("out", |_, at| if at < HOUR { retry() } else { Sent::Delivered });
    (0..3).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let drained = world.run_for(2 * HOUR).await;
    assert_eq!((drained.dead(), drained.pending(), world.backlog("out").delivered), (0, 0, 3));
    // One that keeps failing while others get through is another matter.
    let mut world = World::new();
    world.policy.max_attempts = 2;
    world.output("out", |message, _| if message.json.ends_with(b"r 0\"}") { retry() } else { Sent::Delivered });
    for n in 0..10 {
        world.alert("r", n, Severity::High, &["out"]);
    }
    let drained = world.run_for(HOUR).await;
    assert_eq!((drained.dead(), drained.pending(), world.backlog("out").delivered), (1, 0, 9));
}

/// Somebody who decides what is in an alert must not decide whether others are told of.
#[tokio::test(start_paused = true)]
async fn one_that_never_gets_through_holds_up_no_other() {
    for poison in [Sent::Closed { why: "status 403".to_owned() }, retry()] {
        let mut world = World::new();
        let answer = poison.clone();
        let out = world.output("out", move |message, _| {
            if message.json.ends_with(b"evil 0\"}") || message.json.ends_with(b"evil 1\"}") {
                answer.clone()
            } else {
                Sent::Delivered
            }
        });
        let (mode, receiver) = watch::channel(Mode::Go);
        let task = tokio::spawn(world.deliverer().run(receiver));
        (0..2).for_each(|n| world.alert("evil", n, Severity::High, &["out"]));
        for n in 0..12 {
            sleep(Duration::from_secs(600)).await;
            world.alert("r", 10 + n, Severity::High, &["out"]);
        }
        sleep(Duration::from_secs(600)).await;
        let got: Vec<_> = out.delivered().into_iter().filter(|title| title.starts_with("r ")).collect();
        assert_eq!(got, numbered("r", 10..22), "{poison:?}");
        mode.send_replace(Mode::Drain { deadline_ms: None });
        task.await.unwrap().unwrap();
    }
}

/// Several of them do not come along whenever another one gets through.
#[tokio::test(start_paused = true)]
async fn what_never_gets_through_is_tried_at_its_own_time() {
    let mut world = World::new();
    let out =
        world.output(
            "out",
            |message, _| {
                if String::from_utf8_lossy(&message.json).contains("evil") { retry() } else { Sent::Delivered }
            },
        );
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    (0..2).for_each(|n| world.alert("evil", n, Severity::High, &["out"]));
    for n in 0..360 {
        sleep(Duration::from_secs(10)).await;
        world.alert("r", 10 + n, Severity::Critical, &["out"]);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(out.delivered().len(), 360);
    let evil = out.attempts() - 360;
    assert!(evil < 100, "{evil} attempts in an hour");
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}
