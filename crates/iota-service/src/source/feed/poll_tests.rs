use super::*;
use crate::aws::emulator;
use crate::pipeline::Durable;
use crate::source::feed::damaged::Damaged;
use crate::source::feed::downloads::Downloads;
use crate::source::feed::gate::Gates;
use crate::source::feed::known::Known;
use crate::source::feed::notices::Notices;
use crate::source::feed::{Ending, Tally, begun, offer};
use crate::source::s3::{Bucket, Buckets};
use crate::store::Sqlite;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use iota_engine::dedup::Seen;
use iota_engine::event::{Fingerprint, Identity};
use iota_engine::object::{Kind, Root};
use iota_engine::store::{AlertFilter, Committed, Desk, Ledger, ObjectVersion, StoreError};
use iota_engine::system::SOURCE_FAILING;
use std::sync::atomic::{AtomicU32, Ordering};

/// Longer than until somebody is told.
const ALARMED: Duration = Duration::from_secs(6 * 60);

/// Answers by the URL that is asked for.
#[derive(Debug, Clone)]
struct Fake {
    answer: fn(&str) -> (u16, String),
    asked: Arc<AtomicU32>,
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (status, body) = (self.answer)(request.uri());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

fn source(answer: fn(&str) -> (u16, String)) -> (Source, Arc<AtomicU32>) {
    let fake = Fake { answer, asked: Arc::default() };
    let asked = Arc::clone(&fake.asked);
    let connector = SharedHttpConnector::new(fake);
    let http = http_client_fn(move |_, _| connector.clone());
    let config = emulator::config("http://s3.test").into_builder().http_client(http).build();
    (Source { name: "b".to_owned(), bucket: Arc::new(Bucket::ready("b", &config)), root: Root::of_prefix("") }, asked)
}

fn slow_down() -> (u16, String) {
    (503, "<Error><Code>SlowDown</Code></Error>".to_owned())
}

/// A store that fails when it is next asked for checkpoints, so many times.
#[derive(Debug)]
struct Busy {
    store: Arc<Sqlite>,
    times: AtomicU32,
}

type Result<T> = std::result::Result<T, StoreError>;

impl Ledger for Busy {
    fn seen(&self, records: &[(Identity, Fingerprint)]) -> Result<Vec<Seen>> {
        self.store.seen(records)
    }

    fn is_finished(&self, object: &ObjectVersion) -> Result<bool> {
        self.store.is_finished(object)
    }

    fn commit(&self, unit: &Unit) -> Result<Committed> {
        self.store.commit(unit)
    }

    fn checkpoints(&self, prefix: &str) -> Result<Vec<Checkpoint>> {
        let left = self.times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_or_else(|_| self.store.checkpoints(prefix), |_| Err(StoreError::Full { what: "test".to_owned() }))
    }

    fn rule_state(&self, pack: &str, kind: &str, key: &str) -> Result<serde_json::Value> {
        self.store.rule_state(pack, kind, key)
    }

    fn retain(&self, now_ms: i64) -> Result<()> {
        self.store.retain(now_ms)
    }
}

/// One with a store of its own.
fn poll(trail: TrailConfig) -> (Arc<Busy>, Poll) {
    let store = Arc::new(Busy { store: Arc::new(Sqlite::memory().unwrap()), times: AtomicU32::new(0) });
    let ledger: Arc<dyn Ledger> = Arc::<Busy>::clone(&store);
    let notices = Arc::new(Notices::new(Arc::new(Durable::new(Arc::clone(&ledger), Arc::default(), None))));
    let known = Known::open(Arc::clone(&ledger), HashSet::new()).unwrap();
    let shared = Shared {
        buckets: Buckets::default(),
        ledger: Arc::clone(&ledger),
        offers: offer::offers(Arc::new(|| {})).0,
        downloads: Downloads::default(),
        own: Gate::new("own".to_owned(), Arc::clone(&notices)),
        gates: Gates::new(Arc::clone(&notices), known),
        damaged: Damaged::open(ledger, Arc::clone(&notices)).unwrap(),
        notices,
        tally: Arc::new(Tally::default()),
        stop: tokio::sync::watch::channel(Ending::No).1,
        scratch: None,
    };
    (store, Poll::new(PollConfig { trail, interval: Duration::from_secs(60) }, &Arc::new(shared), None, None))
}

fn trail() -> TrailConfig {
    TrailConfig { bucket: "b".to_owned(), ..TrailConfig::default() }
}

fn branch(region: usize) -> Branch {
    Branch {
        account: "111122223333".to_owned(),
        region: format!("us-east-{region}"),
        kind: Kind::Events,
        prefix: format!("AWSLogs/111122223333/CloudTrail/us-east-{region}/"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_before_all_of_many_branches_have_failed() {
    let (store, mut poll) = poll(trail());
    poll.branches = (0..1_000).map(branch).collect();
    let (source, _) = source(|_| slow_down());
    let all = poll.list(&source, 0);
    assert!(tokio::time::timeout(Duration::from_secs(10 * 60), all).await.is_err(), "it is still at it");
    let told = store.store.alerts(&AlertFilter::default()).unwrap();
    assert!(told.len() == 1 && told[0].rule == SOURCE_FAILING && told[0].title.contains("SlowDown"), "{told:?}");
}

/// Each folder costs a minute of retries.
#[tokio::test(start_paused = true)]
async fn where_the_service_is_down_not_every_folder_is_tried_and_what_was_known_is_kept() {
    let (_, mut poll) = poll(trail());
    let (source, asked) = source(|url| {
        if url.contains("CloudTrail") {
            return slow_down();
        }
        let account = |number: u32| format!("<CommonPrefixes><Prefix>AWSLogs/{number:012}/</Prefix></CommonPrefixes>");
        let accounts: Vec<_> = (0..200).map(account).collect();
        (200, format!("<ListBucketResult>{}</ListBucketResult>", accounts.concat()))
    });
    let found = source.discover(&Wanted::records()).await;
    assert!(found.branches.is_empty() && (1..20).contains(&found.failed.len()), "{}", found.failed.len());
    assert!(asked.load(Ordering::Relaxed) < 400, "{asked:?}");
    poll.branches = vec![branch(1)];
    poll.discovered(found).await;
    assert!(poll.branches == [branch(1)] && poll.undiscovered && poll.some.is_closed() && !poll.gate.is_closed());
}

/// One account's folder is denied: the others are listed at the interval, and no further back than they need to be.
#[tokio::test(start_paused = true)]
async fn a_folder_that_is_denied_makes_no_further_lists_of_the_others() {
    const NOW: i64 = 30 * 86_400_000;
    let (store, mut poll) = poll(trail());
    poll.branches = (0..3).map(branch).collect();
    poll.undiscovered = false;
    let (source, asked) = source(|url| {
        if url.contains("us-east-1") {
            return (403, "<Error><Code>AccessDenied</Code></Error>".to_owned());
        }
        (200, "<ListBucketResult></ListBucketResult>".to_owned())
    });
    let mut connected = Some(source);
    // A new account is looked for with every fifth list.
    poll.rounds = 1;
    let started = Instant::now();
    for _ in 0..3 {
        assert!(poll.round(&mut connected).await.is_ok(), "the interval holds");
        tokio::time::sleep(ALARMED).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 9, "after {:?}", started.elapsed());
    let told = store.store.alerts(&AlertFilter::default()).unwrap();
    assert!(told.len() == 1 && told[0].title.starts_with("Nothing can be read from some of the folders of s3://b"), "{told:?}");
    let begins = |poll: &Poll, number: usize| poll.range(&branch(number), NOW).from_ms;
    poll.folders.values_mut().for_each(|folder| folder.complete_ms = folder.complete_ms.map(|_| NOW));
    poll.begun_ms = Some(86_400_000);
    assert_eq!([0, 1, 2].map(|number| begins(&poll, number)), [Some(NOW - 86_400_000), Some(0), Some(NOW - 86_400_000)]);
    assert_eq!(store.store.checkpoints(&poll.key()).unwrap(), [], "not all was listed");
}

/// The state is busy when the first list begins: the next one knows where the last process left off.
#[tokio::test]
async fn a_store_that_fails_once_costs_no_look_back() {
    let (store, mut poll) = poll(TrailConfig { region: Some("eu-west-1".to_owned()), ..trail() });
    let checkpoints = vec![Checkpoint { key: poll.key(), value: "86400000".to_owned() }];
    store.commit(&Unit { checkpoints, ..Unit::default() }).unwrap();
    store.times.store(1, Ordering::Relaxed);
    let mut source = None;
    let failed = poll.round(&mut source).await;
    assert!(matches!(failed, Err(Failed::Own(_))) && source.is_none() && poll.complete_ms.is_none(), "{failed:?}");
    assert!(poll.begin().await.is_ok());
    assert_eq!(poll.complete_ms, Some(86_400_000));
}

/// An outage that began before the first list, and in which the process is started again.
#[test]
fn until_a_list_is_complete_it_begins_before_the_first_start() {
    let day = |number: i64| number * 86_400_000;
    let (store, mut poll) = poll(trail());
    for now_ms in [day(10) + 5, day(13)] {
        poll.begun_ms = begun(&*store, "s3://b/", now_ms).unwrap();
        assert_eq!([now_ms, day(20)].map(|now_ms| poll.begin_ms(None, now_ms)), [day(9); 2]);
    }
    assert_eq!(poll.begin_ms(Some(day(13)), day(20)), day(12));
}
