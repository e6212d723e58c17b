//! Who gets what, and when, while outputs answer.

use super::*;

/// The store is asked once a minute; whatever the loop is at when an alert is added, it is told of it.
#[tokio::test(start_paused = true)]
async fn an_alert_does_not_wait_for_the_next_look() {
    let mut world = World::new();
    let good = world.output("good", |_, _| Sent::Delivered);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    for n in 0..200 {
        let added = world.clock.now_ms();
        world.alert("r", n, Severity::Critical, &["good"]);
        while good.delivered_at(&format!("r {n}")).is_none() {
            assert!(world.clock.now_ms() - added < 1_000, "alert {n} waits");
            sleep(Duration::from_millis(1)).await;
        }
        // The next one meets the loop somewhere else.
        for _ in 0..n % 20 {
            tokio::task::yield_now().await;
        }
    }
    mode.send_replace(Mode::Drain { deadline_ms: None });
    assert_eq!(task.await.unwrap().unwrap().pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_loops_on_one_store_deliver_each_once() {
    let mut world = World::new();
    let output = world.output("out", |_, _| Sent::Delivered);
    (0..300).for_each(|n| world.alert("r", n, Severity::Critical, &["out"]));
    let (_mode, receiver) = watch::channel(Mode::Drain { deadline_ms: None });
    let loops = [tokio::spawn(world.deliverer().run(receiver.clone())), tokio::spawn(world.deliverer().run(receiver))];
    // One that comes to its end leaves alone what the other has in hand.
    for task in loops {
        task.await.unwrap().unwrap();
    }
    assert!(world.store.backlog().unwrap().iter().all(|backlog| backlog.pending == 0));
    let mut delivered = output.delivered();
    delivered.sort();
    let mut expected = numbered("r", 0..300);
    expected.sort();
    assert_eq!(delivered, expected);
}

#[tokio::test(start_paused = true)]
async fn who_dies_with_a_delivery_in_hand_loses_it_to_the_next() {
    let mut world = World::new();
    let mut slow =
        Fake { clock: world.clock, behaviour: Box::new(|_, _| Sent::Delivered), sent: Mutex::default(), takes_ms: 0, at_once: 1 };
    slow.takes_ms = 10_000_000;
    world.outputs.insert("out".to_owned(), Arc::new(slow));
    world.alert("r", 0, Severity::High, &["out"]);
    let (_mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(1)).await;
    task.abort();
    let output = world.output("out", |_, _| Sent::Delivered);
    let stale = world.store.lease("out", world.clock.now_ms(), world.clock.now_ms(), 1).unwrap();
    assert!(stale.is_empty(), "it is leased");
    world.store.release().unwrap();
    world.drain().await;
    assert_eq!(output.delivered(), ["r 0"]);
}

/// An attempt that took longer than the lease would be made again and again, each time by two.
#[tokio::test(start_paused = true)]
async fn an_attempt_is_given_up_before_its_lease_ends() {
    let mut world = World::new();
    let slow = Fake {
        clock: world.clock,
        behaviour: Box::new(|_, _| Sent::Delivered),
        sent: Mutex::default(),
        takes_ms: 10 * 60 * 1000,
        at_once: 2,
    };
    let slow = Arc::new(slow);
    world.outputs.insert("out".to_owned(), Arc::clone(&slow));
    world.alert("r", 0, Severity::High, &["out"]);
    let (mode, receiver) = watch::channel(Mode::Go);
    let task = tokio::spawn(world.deliverer().run(receiver));
    sleep(Duration::from_secs(60 * 60)).await;
    assert_eq!(slow.attempts(), 0, "none came to its end");
    let alert = world.alerts_of("r").remove(0);
    let delivery = world.store.deliveries(&alert.alert_id).unwrap().remove(0);
    assert_eq!(delivery.last_error.as_deref(), Some("the attempt took too long"));
    assert!(i64::from(delivery.attempts) <= HOUR / (4 * MINUTE) && delivery.attempts > 3, "{}", delivery.attempts);
    mode.send_replace(Mode::Drain { deadline_ms: Some(world.clock.now_ms()) });
    task.await.unwrap().unwrap();
}
