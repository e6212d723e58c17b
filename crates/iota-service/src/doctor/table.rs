//! The DynamoDB table that state is kept in.

use super::PATIENCE;
use super::finding::{Finding, Report};
use crate::aws::{Account, Remedy};
use crate::store::DynamoDb;
use iota_engine::store::StoreError;
use serde_json::json;
use std::sync::mpsc::channel;
use std::thread;

const CHECK: &str = "state";
/// Calls that taking input makes; deploy/iam/dynamodb.json has the same.
const ACTIONS: [&str; 9] = [
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];

/// Reads, and writes nothing.
pub(super) fn check(name: &str, account: &Account, report: &mut Report<'_>) {
    let subject = format!("dynamodb:{name}");
    let (done, is_done) = channel();
    let table = name.to_owned();
    // The store waits for answers by itself, and with more patience.
    thread::spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = done.send(DynamoDb::open_beside(&table).map(drop));
    });
    report.tell(match is_done.recv_timeout(PATIENCE) {
        Ok(Ok(())) => Finding::ok(CHECK, &subject, "the table is reached, and its state is of a version that this iota knows"),
        Ok(Err(error)) => judge(&subject, name, &error, account),
        Err(_) => Finding::failed(CHECK, &subject, format!("no answer within {} s", PATIENCE.as_secs()))
            .setting("let this machine reach DynamoDB: route, DNS, proxy (HTTPS_PROXY), gateway endpoint"),
    });
}

fn judge(subject: &str, name: &str, error: &StoreError, account: &Account) -> Finding {
    let text = error.to_string();
    if text.contains("there is no state in it") {
        return Finding::ok(CHECK, subject, "the table is reached; there is no state in it yet");
    }
    let finding = Finding::failed(CHECK, subject, text.clone());
    if text.contains("AccessDenied") {
        let arn = format!("arn:{}:dynamodb:REGION:ACCOUNT:table/{name}", account.partition);
        let statement = json!({"Effect": "Allow", "Action": ACTIONS, "Resource": [arn, format!("{arn}/index/ik-at")]});
        return finding.with([Remedy::Statement { policy: format!("policy of {}", account.principal()), statement }]);
    }
    finding.setting("name the table that there is, in the region of AWS_REGION, made as docs/OPERATING.md says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use serde_json::Value as Json;

    #[test]
    fn what_the_table_lacks_is_told() {
        let judge = |why: &str| {
            let error = StoreError::Broken { what: "DynamoDB table t".to_owned(), why: why.to_owned() };
            judge("dynamodb:t", "t", &error, &Account::unknown(None))
        };
        assert_eq!(judge("there is no state in it; `iota run --state` makes it").level, Level::Ok);
        assert_eq!(judge("it has no global secondary index `ik-at`").level, Level::Failed);
        let denied = judge("dynamodb:DescribeTable: AccessDeniedException: no");
        let [Remedy::Statement { statement, .. }] = &denied.remedies[..] else { panic!("{denied:?}") };
        let shipped = include_str!("../../../../deploy/iam/dynamodb.json");
        let shipped: Json = serde_json::from_str(shipped).unwrap();
        assert_eq!(statement["Action"], shipped["Statement"][0]["Action"]);
    }
}
