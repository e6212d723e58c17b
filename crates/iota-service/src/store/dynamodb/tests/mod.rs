//! Against moto, through a proxy that fails as DynamoDB does.

mod cells;
mod commit;
mod desk;
mod outbox;
mod pairs;
mod replicas;
mod sizes;
mod table;

use super::item::TTL;
use super::limits::violations;
use super::query::{INDEX, PROJECTED};
use super::schema::For;
use super::{DynamoDb, runtime};
use crate::aws::emulator::{Answer, Asked, Proxy, config, moto};
use crate::store::{proof, proof_desk};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use aws_smithy_types::timeout::TimeoutConfig;
use iota_engine::aggregate::Window;
use iota_engine::store::{Actor, AuditEntry, Result, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;

const HOUR: Window = Window { ms: 60 * proof::MINUTE, threshold: 1 };

/// For what the tests themselves ask of moto, and the proxies.
fn tests() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| runtime("tests").unwrap())
}

fn client() -> Client {
    Client::new(&patient(moto()))
}

/// An answer that comes late on a busy machine would be taken for lost; moto does not know the token that DynamoDB tells a
/// repeated transaction by.
fn patient(url: &str) -> SdkConfig {
    let patient = TimeoutConfig::builder().operation_timeout(Duration::from_secs(300)).build();
    config(url).into_builder().timeout_config(patient).build()
}

/// How a table is made.
struct Made {
    sort_key: &'static str,
    index_number: ScalarAttributeType,
    index: &'static str,
    projected: &'static [&'static str],
}

const AS_DOCUMENTED: Made = Made { sort_key: "sk", index_number: ScalarAttributeType::N, index: INDEX, projected: &PROJECTED };

impl Made {
    fn make(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("iota-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let attribute = |name: &str, kind: ScalarAttributeType| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
        };
        let projected = self.projected.iter().map(|name| (*name).to_owned()).collect();
        let projection =
            Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(projected)).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(self.index)
            .key_schema(key("ik", KeyType::Hash))
            .key_schema(key("at", KeyType::Range))
            .projection(projection)
            .build()
            .unwrap();
        let made = client()
            .create_table()
            .table_name(&name)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key(self.sort_key, KeyType::Range))
            .attribute_definitions(attribute("pk", ScalarAttributeType::S))
            .attribute_definitions(attribute(self.sort_key, ScalarAttributeType::S))
            .attribute_definitions(attribute("ik", ScalarAttributeType::S))
            .attribute_definitions(attribute("at", self.index_number.clone()))
            .global_secondary_indexes(index)
            .billing_mode(BillingMode::PayPerRequest);
        let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build().unwrap();
        let client = client();
        tests().block_on(async {
            made.send().await.unwrap();
            client.update_time_to_live().table_name(&name).time_to_live_specification(ttl).send().await.unwrap();
        });
        name
    }
}

fn open_at(url: &str, table: &str, who: For) -> Result<DynamoDb> {
    DynamoDb::with(runtime(table)?, &patient(url), table, who)
}

fn open(table: &str) -> DynamoDb {
    open_at(moto(), table, For::Input).unwrap()
}

fn new() -> DynamoDb {
    open(&AS_DOCUMENTED.make())
}

/// Lets everything through until it is told otherwise.
fn new_proxy() -> Proxy {
    tests().block_on(Proxy::start(|_| Answer::Pass))
}

/// A store that gives up at once.
fn behind_a_proxy(table: &str) -> (DynamoDb, Proxy) {
    let proxy = new_proxy();
    let mut store = open_at(&proxy.url, table, For::Input).unwrap();
    store.table.tries = 1;
    (store, proxy)
}

fn is_write(asked: &Asked) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"].contains(&asked.operation.as_str())
}

/// Some scenario; the same ones in each run.
fn scenarios() -> impl Iterator<Item = proof::Scenario> {
    let mut runner = TestRunner::deterministic();
    std::iter::repeat_with(move || proof::scenario().new_tree(&mut runner).unwrap().current())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn alerts_are_those_of_the_set_of_matches(scenario in proof::scenario()) {
        proof::check(&new(), &scenario);
    }
}

#[test]
fn cases_of_the_contract() {
    let watched = Watched::default();
    proof::worked_cases(|| Box::new(watched.store(&AS_DOCUMENTED.make())) as Box<dyn Store>);
    watched.check();
}

/// What a store asked for, and what of it DynamoDB would not have taken.
#[derive(Clone, Default)]
struct Watched {
    operations: Arc<Mutex<BTreeSet<String>>>,
    violations: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn store(&self, table: &str) -> DynamoDb {
        let watched = self.clone();
        let proxy = tests().block_on(Proxy::start(move |asked| {
            watched.operations.lock().unwrap().insert(asked.operation.clone());
            watched.violations.lock().unwrap().extend(violations(asked));
            Answer::Pass
        }));
        open_at(&proxy.url, table, For::Input).unwrap()
    }

    fn check(&self) {
        assert_eq!(*self.violations.lock().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn deliveries_people_and_what_failed() {
    let watched = Watched::default();
    proof_desk::all(|| Box::new(watched.store(&AS_DOCUMENTED.make())) as Box<dyn Store>);
    watched.check();
    let mut called = std::mem::take(&mut *watched.operations.lock().unwrap());
    // The policy that is shipped grants what is called, and nothing else.
    assert!(called.remove("TransactWriteItems"));
    let called: BTreeSet<String> = called.into_iter().map(|operation| format!("dynamodb:{operation}")).collect();
    let policy: serde_json::Value = serde_json::from_str(include_str!("../../../../../../deploy/iam/dynamodb.json")).unwrap();
    let granted = policy["Statement"][0]["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
    let mut granted: BTreeSet<String> = granted.collect();
    assert!(granted.remove("dynamodb:ConditionCheckItem"), "for transactions");
    assert_eq!(granted, called);
}

/// Alerts that were not taken over: id, count, first and last.
fn standing(store: &dyn Store) -> BTreeSet<(String, u64, i64, i64)> {
    let alerts = proof::alerts(store).into_iter().filter(|alert| alert.superseded_by.is_none());
    alerts.map(|alert| (alert.alert_id, alert.count, alert.first_ms, alert.last_ms)).collect()
}

fn entry(subject: &str) -> AuditEntry {
    let (action, subject) = ("rules.reload".to_owned(), subject.to_owned());
    AuditEntry { at_ms: 1, actor: Actor::Iota, action, subject, why: None, before: None, after: None }
}
