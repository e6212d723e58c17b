//! Canaries.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_absent_is_told_elsewhere() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    // It takes alerts and says nothing.
    let mute = world.output("mute", |message, at| {
        if message.purpose == Purpose::Canary && (2 * HOUR..4 * HOUR).contains(&at) { retry() } else { Sent::Delivered }
    });
    world.policy.canary = Some(CanarySchedule { every: Duration::from_secs(3600), outputs: vec!["good".into(), "mute".into()] });
    world.run_for(6 * HOUR + MINUTE).await;
    let canaries = |fake: &Fake| {
        fake.sent.lock().unwrap().iter().filter(|sent| sent.2 == Purpose::Canary && sent.3 == Sent::Delivered).count()
    };
    assert_eq!(canaries(&good), 7, "one in each hour");
    assert_eq!(canaries(&mute), 7, "late ones come, too");
    let absent = "The canary of output mute did not get through".to_owned();
    assert!(good.delivered().contains(&absent) && !mute.delivered().contains(&absent));
    assert!(world.alerts_of(CANARY_ABSENT).iter().all(|alert| alert.dedup == "mute"));
    assert!(world.store.alerts(&AlertFilter::default()).unwrap().iter().all(|alert| alert.rule != CANARY), "not in the way");
}
