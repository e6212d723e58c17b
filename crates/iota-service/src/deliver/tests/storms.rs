//! The storm limit and its summaries.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_storm_is_cut_off_and_summed_up_and_what_is_critical_is_not() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    let quiet = world.output("quiet", |_, _| Sent::Delivered);
    (0..250).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    (0..150).for_each(|n| world.alert("fire", 1_000 + n, Severity::Critical, &["out"]));
    (0..5).for_each(|n| world.alert("other", 2_000 + n, Severity::Low, &["out"]));
    let drained = world.drain().await;
    let count = |prefix: &str| output.delivered().iter().filter(|title| title.starts_with(prefix)).count();
    assert_eq!((count("storm "), count("fire "), count("other ")), (100, 150, 5));
    let told = "150 more alerts of rule storm were not sent here in the hour from 2026-01-01T00:00Z so far";
    assert_eq!(count(told), 1, "{:?}", output.delivered());
    assert_eq!((drained.pending(), world.backlog("out").limited), (0, 150));
    assert!(quiet.delivered().is_empty(), "it was not told of the storm either");
    assert_eq!(world.alerts_of("storm").len(), 250, "what was held back is listed");
    // Draining again tells nothing new, the next hour has a share of its own.
    world.drain().await;
    assert_eq!(world.alerts_of(STORM).len(), 1);
    sleep(Duration::from_secs(3_700)).await;
    (0..3).for_each(|n| world.alert("storm", 3_000 + n, Severity::High, &["out"]));
    world.drain().await;
    assert_eq!(count("storm "), 103);
    assert_eq!(world.alerts_of(STORM).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_summed_up_when_its_hour_is_over_also_after_a_restart() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |_, _| Sent::Delivered);
    (0..5).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(60)).await;
    // As if it was killed: nothing is drained.
    task.abort();
    assert_eq!(output.delivered().len(), 2);
    sleep(Duration::from_secs(3 * 3600)).await;
    world.run_for(MINUTE).await;
    let told = "3 more alerts of rule storm were not sent here in the hour from 2026-01-01T00:00Z";
    assert_eq!(output.delivered()[2..], [told]);
}

#[tokio::test(start_paused = true)]
async fn each_summary_says_how_many_it_is_about_and_how_many_there_were() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |_, _| Sent::Delivered);
    for (from, to) in [(0, 5), (5, 6), (6, 10)] {
        (from..to).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
        world.drain().await;
    }
    world.drain().await;
    let expected = [
        "3 more alerts of rule storm were not sent here in the hour from 2026-01-01T00:00Z so far",
        "1 more alert of rule storm was not sent here, 4 in all, in the hour from 2026-01-01T00:00Z so far",
        "4 more alerts of rule storm were not sent here, 8 in all, in the hour from 2026-01-01T00:00Z so far",
    ];
    assert_eq!(output.delivered()[2..], expected);
    // The hour is over, and all of it was told.
    sleep(Duration::from_secs(2 * 3600)).await;
    world.run_for(MINUTE).await;
    assert_eq!(output.delivered().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_people_ask_for_passes_the_storm_limit() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |message, at| {
        if at < MINUTE && message.json.ends_with(b"early 0\"}") {
            Sent::Refused { why: "400".to_owned() }
        } else {
            Sent::Delivered
        }
    });
    world.alert("early", 0, Severity::High, &["out"]);
    world.drain().await;
    (1..4).for_each(|n| world.alert("early", n, Severity::High, &["out"]));
    sleep(Duration::from_millis(MINUTE.unsigned_abs())).await;
    world.drain().await;
    assert_eq!((world.backlog("out").dead, world.backlog("out").limited), (1, 1));
    assert_eq!(world.redrive(), 1);
    world.drain().await;
    assert!(output.delivered_at("early 0").is_some(), "{:?}", output.delivered());
}

/// What was held back in the last moments of an hour may be settled in the next one.
#[tokio::test(start_paused = true)]
async fn an_hour_is_summed_up_when_all_of_it_is_settled() {
    let mut world = World::new();
    world.policy.storm_limit = 2;
    let output = world.output("out", |_, _| Sent::Delivered);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    // Just before the end of the hour, and, by a process whose clock is a little slow, just after it.
    sleep(Duration::from_millis((HOUR - 5_000).unsigned_abs())).await;
    (0..5).for_each(|n| world.alert("storm", n, Severity::High, &["out"]));
    sleep(Duration::from_secs(20)).await;
    world.alert("storm", 5, Severity::High, &["elsewhere"]);
    let late = world.store.lease("elsewhere", world.clock.now_ms(), world.clock.now_ms() + 1_000, 1).unwrap().remove(0);
    let in_the_hour = START + HOUR - 1;
    assert!(world.store.settle(&late, &iota_engine::store::Settled::Limited, in_the_hour).unwrap());
    sleep(Duration::from_secs(10 * 60)).await;
    let elsewhere = world.alerts_of(STORM).into_iter().filter(|alert| alert.title.starts_with("1 more alert of"));
    assert_eq!((elsewhere.count(), world.alerts_of(STORM).len()), (1, 2), "once for each output");
    let told = "3 more alerts of rule storm were not sent here in the hour from 2026-01-01T00:00Z";
    assert!(output.delivered().contains(&told.to_owned()), "{:?}", output.delivered());
    mode.send_replace(Mode::Drain { deadline_ms: None });
    task.await.unwrap().unwrap();
}
