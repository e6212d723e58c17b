//! What DynamoDB refuses and moto lets through, so that tests find it: told by the requests themselves.

use super::query::INDEX;
use crate::aws::emulator::Asked;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Words of the languages of expressions. Attributes and values are written with `#` and `:`.
const WORDS: [&str; 12] = [
    "SET",
    "REMOVE",
    "ADD",
    "AND",
    "OR",
    "IN",
    "BETWEEN",
    "attribute_exists",
    "attribute_not_exists",
    "begins_with",
    "if_not_exists",
    "NOT",
];
/// Of the JSON of an item; bytes are a third longer in it.
const ITEM: usize = 350 << 10;

/// What is wrong with a request.
pub(super) fn violations(asked: &Asked) -> Vec<String> {
    let body: Json = serde_json::from_slice(&asked.body).unwrap_or_default();
    let mut found = Vec::new();
    expressions(&body, &mut found);
    let lists = |name: &str| body[name].as_object().into_iter().flat_map(|tables| tables.values());
    for keys in lists("RequestItems") {
        let keys: Vec<String> = match asked.operation.as_str() {
            "BatchGetItem" => keys["Keys"].as_array().into_iter().flatten().map(Json::to_string).collect(),
            _ => keys.as_array().into_iter().flatten().map(|put| key(&put["PutRequest"]["Item"])).collect(),
        };
        let most = if asked.operation == "BatchGetItem" { 100 } else { 25 };
        let distinct: BTreeSet<&String> = keys.iter().collect();
        if keys.is_empty() || keys.len() > most || distinct.len() < keys.len() {
            found.push(format!("{} keys, {} of them distinct", keys.len(), distinct.len()));
        }
    }
    if let Some(writes) = body["TransactItems"].as_array() {
        let of = |write: &Json| {
            let write = write.as_object().and_then(|write| write.values().next()).cloned().unwrap_or_default();
            key(if write["Item"].is_object() { &write["Item"] } else { &write["Key"] })
        };
        let keys: BTreeSet<String> = writes.iter().map(of).collect();
        if keys.len() != writes.len() || writes.len() > 100 || asked.body.len() > 4 << 20 {
            found.push(format!("a transaction of {} writes, {} items, {} bytes", writes.len(), keys.len(), asked.body.len()));
        }
    }
    if body["IndexName"] == INDEX && body["ConsistentRead"] == true {
        found.push("an index has no consistent reads".to_owned());
    }
    found.into_iter().map(|what| format!("{}: {what}", asked.operation)).collect()
}

fn key(item: &Json) -> String {
    format!("{} {}", item["pk"], item["sk"])
}

/// Every value and name that is stated is used, and the other way round; items are not too large and have their keys.
fn expressions(json: &Json, found: &mut Vec<String>) {
    let Json::Object(members) = json else {
        for json in json.as_array().into_iter().flatten() {
            expressions(json, found);
        }
        return;
    };
    let text: Vec<&str> =
        members.iter().filter(|(name, _)| name.ends_with("Expression")).filter_map(|(_, text)| text.as_str()).collect();
    let tokens = |text: &str| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_#:".contains(letter);
        text.split(|letter| !is_part(letter)).filter(|token| !token.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let used: BTreeSet<String> = text.iter().flat_map(|text| tokens(text)).collect();
    let stated: BTreeSet<String> = ["ExpressionAttributeNames", "ExpressionAttributeValues"]
        .into_iter()
        .flat_map(|name| members.get(name).and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name.clone()))
        .collect();
    let used: BTreeSet<String> = used.into_iter().filter(|token| !WORDS.contains(&token.as_str())).collect();
    if used != stated {
        found.push(format!("{text:?}: used {used:?}, stated {stated:?}"));
    }
    if let Some(item) = members.get("Item") {
        let is_text = |name: &str| item[name]["S"].as_str().is_some_and(|text| !text.is_empty());
        let index = item.get("ik").is_none() && item.get("at").is_none() || is_text("ik") && item["at"]["N"].is_string();
        if !is_text("pk") || !is_text("sk") || !index || item.to_string().len() > ITEM * 4 / 3 + 2_000 {
            found.push(format!("{}: {} bytes", key(item), item.to_string().len()));
        }
    }
    for json in members.values() {
        expressions(json, found);
    }
}

#[test]
fn what_is_wrong_is_found() {
    let find = |operation: &str, body: Json| {
        violations(&Asked { operation: operation.to_owned(), body: body.to_string().into_bytes() }).len()
    };
    let key = json!({"pk": {"S": "a"}, "sk": {"S": "b"}});
    let update = |change: &str| json!({"Key": key, "UpdateExpression": change, "ExpressionAttributeNames": {"#x": "x"}, "ExpressionAttributeValues": {":x": {"N": "1"}}});
    assert_eq!(find("UpdateItem", update("SET #x = :x")), 0);
    for wrong in ["SET #x = :y", "REMOVE #x", "SET x = :x", "SET #x = :x, #y = :x"] {
        assert_eq!(find("UpdateItem", update(wrong)), 1, "{wrong}");
    }
    assert_eq!(find("PutItem", json!({"Item": key})), 0);
    assert_eq!(find("PutItem", json!({"Item": {"pk": {"S": ""}, "sk": {"S": "b"}}})), 1);
    assert_eq!(find("PutItem", json!({"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"B": "x".repeat(600_000)}}})), 1);
    assert_eq!(find("BatchGetItem", json!({"RequestItems": {"t": {"Keys": [key, key]}}})), 1);
    let put = json!({"PutRequest": {"Item": key}});
    assert_eq!(find("BatchWriteItem", json!({"RequestItems": {"t": [put, put]}})), 1);
    assert_eq!(find("TransactWriteItems", json!({"TransactItems": [{"Put": {"Item": key}}, {"Delete": {"Key": key}}]})), 1);
    assert_eq!(find("Query", json!({"IndexName": INDEX, "ConsistentRead": true})), 1);
}
