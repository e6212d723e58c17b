//! The table itself: whether it fits, what is past its time, and what waiting does not mend.

use super::{AS_DOCUMENTED, HOUR, Made, behind_a_proxy, client, open, open_at, tests};
use crate::aws::emulator::{Answer, moto};
use crate::store::dynamodb::item::{Key, TTL, number, text};
use crate::store::dynamodb::query::PROJECTED;
use crate::store::dynamodb::schema::For;
use crate::store::dynamodb::table::wall_ms;
use crate::store::dynamodb::write::Write;
use crate::store::proof;
use aws_sdk_dynamodb::types::ScalarAttributeType;
use iota_engine::store::{Class, Ledger};

#[test]
fn what_is_past_its_time_is_not_there() {
    let table = AS_DOCUMENTED.make();
    let store = open(&table);
    let mut unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    unit.matches[0].class = Class::Signal;
    unit.matches[0].routes.clear();
    store.commit(&unit).unwrap();
    // DynamoDB deletes when it gets to it; until then the items can be read.
    let scanned = tests().block_on(async { client().scan().table_name(&table).send().await.unwrap() });
    for item in scanned.items().iter().filter(|item| item.contains_key(TTL)) {
        let old = Write::update(Key::of(item).unwrap(), "SET #ttl = :old").with("old", number(wall_ms() / 1000 - 1));
        store.wait(store.table.write(&old)).unwrap();
    }
    assert_eq!(proof::alerts(&store).len(), 0);
    assert_eq!(store.commit(&unit).unwrap().signals, 1, "as if it had never been there");
    assert_eq!(proof::alerts(&store).iter().map(|alert| alert.count).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_what_is_missing() {
    let said = |table: &str, who: For| open_at(moto(), table, who).err().map_or("opened".to_owned(), |error| error.to_string());
    let help = "docs/OPERATING.md";
    let missing = said("iota-nowhere", For::Input);
    assert!(missing.contains("iota-nowhere: there is no such table") && missing.contains(help), "{missing}");
    for (made, expected) in [
        (Made { sort_key: "other", ..AS_DOCUMENTED }, "its key is not partition key `pk` (string) and sort key `sk` (string)"),
        (Made { index: "other", ..AS_DOCUMENTED }, "it has no global secondary index `ik-at`"),
        (
            Made { index_number: ScalarAttributeType::S, ..AS_DOCUMENTED },
            "is not partition key `ik` (string) and sort key `at` (number)",
        ),
        (Made { projected: &PROJECTED[1..], ..AS_DOCUMENTED }, "index `ik-at` does not include output"),
    ] {
        let said = said(&made.make(), For::Input);
        assert!(said.contains(expected) && said.contains(help), "{said}");
    }
    let table = AS_DOCUMENTED.make();
    assert!(said(&table, For::Desk).contains("there is no state in it"));
    let store = open(&table);
    assert_eq!(said(&table, For::Desk), "opened");
    let newer = Write::update(Key::version(), "SET #version = :newer").with("newer", number(9));
    store.wait(store.table.write(&newer)).unwrap();
    assert!(said(&table, For::Input).contains("its state is of version 9, this iota knows version 1"));
    let damaged = Write::update(Key::version(), "SET #version = :newer").with("newer", text("x"));
    store.wait(store.table.write(&damaged)).unwrap();
    assert!(said(&table, For::Input).contains("item \"table\" \"version\": attribute `version` is missing or damaged"));
}

#[test]
fn what_nobody_mends_by_waiting_is_told_at_once() {
    let table = AS_DOCUMENTED.make();
    let (mut store, proxy) = behind_a_proxy(&table);
    store.table.tries = 8;
    let unit = proof::unit(vec![proof::found(0, 1, 0, HOUR)]);
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"] {
        proxy.set(move |_| Answer::json(400, code));
        let error = store.commit(&unit).unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains(code), "{error}");
        assert_eq!(proxy.count(), 1);
    }
    proxy.set(|_| Answer::json(400, "ExpiredTokenException"));
    assert!(store.seen(&unit.seen).unwrap_err().is_retryable(), "new credentials may be on their way");
}
