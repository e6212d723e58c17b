//! Places between two steps where a test may end the process, as a loss of power would. In release builds there are none.

/// Kills this process when `IOTA_CRASH` is `NAME:N` and this is the Nth time that it gets here.
#[cfg(debug_assertions)]
pub fn crash_point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_methods, reason = "no setting: it exists in test builds only")]
    let asked = ASKED.get_or_init(|| {
        let value = std::env::var("IOTA_CRASH").ok()?;
        let (name, hit) = value.split_once(':')?;
        Some((name.to_owned(), hit.parse().ok()?))
    });
    let Some((asked, hit)) = asked else { return };
    if asked == name && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *hit {
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(debug_assertions))]
#[inline]
pub fn crash_point(_: &str) {}
