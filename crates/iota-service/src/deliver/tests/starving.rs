//! Alerts that an output never takes, by chance or because somebody has put into them what it does not take: they hold up no
//! others, and come to their end.

use super::*;

/// Takes all but what is of rule `bad`.
fn picky(world: &mut World, refusal: fn() -> Sent) -> Arc<Fake> {
    world.busy_output("out", 4, move |message, _| {
        if String::from_utf8_lossy(&message.json).contains(r#""title":"bad"#) { refusal() } else { Sent::Delivered }
    })
}

fn closed() -> Sent {
    Sent::Closed { why: "403".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn many_that_never_get_through_do_not_go_before_others() {
    for refusal in [retry, closed] {
        let mut world = World::new();
        let out = picky(&mut world, refusal);
        let (mode, receiver) = watch::channel(Mode::Go);
        let task = tokio::spawn(world.deliverer().run(receiver));
        (0..300).for_each(|n| world.alert("bad", n, Severity::High, &["out"]));
        for n in 0..60 {
            // Some of them are added all the time.
            world.alert("bad", 1_000 + n, Severity::High, &["out"]);
            world.alert("good", n, Severity::High, &["out"]);
            sleep(Duration::from_secs(60)).await;
        }
        sleep(Duration::from_secs(120)).await;
        for n in 0..60 {
            let delay = out.delivered_at(&format!("good {n}")).unwrap() - i64::from(n) * MINUTE;
            assert!(delay < 2 * MINUTE, "{:?}: alert {n} took {delay} ms", refusal());
        }
        mode.send_replace(Mode::Drain { deadline_ms: Some(0) });
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_gets_through_is_not_made_due_with_the_others() {
    // While it is closed one is tried now and then, and that does not count.
    let refusals: [(fn() -> Sent, usize); 2] = [(retry, 150), (closed, 600)];
    for (refusal, most) in refusals {
        let mut world = World::new();
        let out = picky(&mut world, refusal);
        let (mode, receiver) = watch::channel(Mode::Go);
        let task = tokio::spawn(world.deliverer().run(receiver));
        (0..10).for_each(|n| world.alert("bad", n, Severity::High, &["out"]));
        for n in 0..24 * 60 {
            world.alert("good", n, Severity::High, &["out"]);
            sleep(Duration::from_secs(60)).await;
        }
        let backlog = world.backlog("out");
        assert_eq!((backlog.pending, backlog.dead, out.delivered().len()), (0, 10, 24 * 60), "{:?}", refusal());
        let attempts = out.attempts() - out.delivered().len();
        assert!(attempts < 10 * most, "{:?}: {attempts} attempts, of which 100 each count", refusal());
        mode.send_replace(Mode::Drain { deadline_ms: None });
        task.await.unwrap().unwrap();
    }
}
