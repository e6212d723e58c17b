//! How the loop comes to its end.

use super::*;

#[tokio::test(start_paused = true)]
async fn draining_ends_at_its_deadline_and_keeps_what_is_left() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    let fake = Fake {
        takes_ms: 1_000,
        at_once: 1,
        behaviour: Box::new(|_, _| Sent::Delivered),
        sent: Mutex::default(),
        clock: world.clock,
    };
    let slow = Arc::new(fake);
    world.outputs.insert("out".to_owned(), Arc::clone(&slow));
    drop(output);
    (0..50).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Drain { deadline_ms: Some(START + 10_500) });
    let drained = world.deliverer().run(receiver).await.unwrap();
    assert_eq!(drained.pending() + slow.delivered().len() as u64, 50);
    assert_eq!(slow.delivered(), numbered("r", 0..11), "what was under way is waited for");
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_an_output_that_comes_back_within_seconds() {
    for at_once in [1, 4, 16] {
        let mut world = World::new();
        let out = world.busy_output("out", at_once, |_, at| if at < 4_000 { retry() } else { Sent::Delivered });
        (0..40).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
        assert_eq!(world.drain().await.pending(), 0, "{at_once} at once, {} attempts", out.attempts());
        assert!(world.clock.now_ms() - START < 20_000, "{at_once} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_wait_for_what_somebody_has_to_mend() {
    let mut world = World::new();
    world.busy_output("out", 4, |_, _| Sent::Closed { why: "status 401".to_owned() });
    (0..10).for_each(|n| world.alert("r", n, Severity::High, &["out"]));
    assert_eq!(world.drain().await.pending(), 10);
    assert!(world.clock.now_ms() - START < 6_000, "longer than until it has said so twice");
}
