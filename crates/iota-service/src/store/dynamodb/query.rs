//! Lists of items: those under one partition key, or under one key of the index, in the order of its number.

use super::item::{AT, IK, Item, Key, PK, SK, TTL, number, start, text};
use super::table::Table;
use super::trouble::Work;
use super::write::names;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use iota_engine::store::DeliveryState;
use std::collections::HashMap;

/// The index: sparse, by `ik` and `at`.
pub(super) const INDEX: &str = "ik-at";
/// What it has of an item beside the keys.
pub(super) const PROJECTED: [&str; 9] = ["output", "pack", "rule", "class", "severity", "status", "revision", "created", TTL];
/// Parts that what grows fast is spread over, because one key of an index takes 1,000 writes per second.
pub(super) const SHARDS: u8 = 4;

#[derive(Debug, Clone)]
pub(super) struct Query {
    index: bool,
    keys: String,
    filter: Option<String>,
    values: HashMap<String, AttributeValue>,
    backward: bool,
    pub(super) limit: Option<usize>,
}

impl Query {
    /// Items under a partition key whose sort keys begin so, as they are now.
    pub(super) fn under(pk: &str, prefix: &str) -> Self {
        let mut values = HashMap::from([(":pk".to_owned(), text(pk))]);
        let mut keys = format!("#{PK} = :pk");
        if !prefix.is_empty() {
            keys = format!("{keys} AND begins_with(#{SK}, :sk)");
            values.insert(":sk".to_owned(), text(start(prefix)));
        }
        Self { index: false, keys, filter: None, values, backward: false, limit: None }
    }

    /// Items of the index; it is a little behind.
    pub(super) fn listed(ik: impl Into<String>) -> Self {
        let values = HashMap::from([(":ik".to_owned(), text(ik))]);
        Self { index: true, keys: format!("#{IK} = :ik"), filter: None, values, backward: false, limit: None }
    }

    /// With a number from `from` on, and below `until`.
    #[must_use]
    pub(super) fn between(mut self, from: Option<i64>, until: Option<i64>) -> Self {
        let last = until.map(|until| until.saturating_sub(1));
        let (condition, bounds) = match (from, last) {
            (None, None) => return self,
            (Some(from), None) => (format!("#{AT} >= :from"), vec![(":from", from)]),
            (None, Some(last)) => (format!("#{AT} <= :last"), vec![(":last", last)]),
            (Some(from), Some(last)) => {
                // Bounds in the wrong order are an error to DynamoDB, and nothing has the smallest number.
                let (from, last) = if from > last { (i64::MIN, i64::MIN) } else { (from, last) };
                (format!("#{AT} BETWEEN :from AND :last"), vec![(":from", from), (":last", last)])
            }
        };
        self.keys = format!("{} AND {condition}", self.keys);
        self.values.extend(bounds.into_iter().map(|(name, at)| (name.to_owned(), number(at))));
        self
    }

    /// Only those for which this holds, too.
    #[must_use]
    pub(super) fn and(mut self, condition: &str) -> Self {
        self.filter = Some(match self.filter {
            Some(filter) => format!("{filter} AND {condition}"),
            None => condition.to_owned(),
        });
        self
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    #[must_use]
    pub(super) fn backward(mut self) -> Self {
        self.backward = true;
        self
    }

    #[must_use]
    pub(super) fn limit(mut self, limit: Option<usize>) -> Self {
        self.limit = limit;
        self
    }

    pub(super) fn of(&self, table: &Table, from: Option<Item>) -> QueryFluentBuilder {
        // A page has no more items than are looked at, so a limit is one of the page where nothing is left out.
        let page = self.limit.filter(|_| self.filter.is_none()).and_then(|limit| i32::try_from(limit.max(1)).ok());
        let expressions = [self.keys.as_str(), self.filter.as_deref().unwrap_or_default()];
        table
            .client
            .query()
            .table_name(&table.name)
            .set_index_name(self.index.then(|| INDEX.to_owned()))
            .consistent_read(!self.index)
            .key_condition_expression(&self.keys)
            .set_filter_expression(self.filter.clone())
            .set_expression_attribute_names(names(expressions))
            .set_expression_attribute_values(Some(self.values.clone()))
            .scan_index_forward(!self.backward)
            .set_limit(page)
            .set_exclusive_start_key(from)
    }
}

/// Keys of the index.
pub(super) mod listed {
    use super::{DeliveryState, SHARDS};
    use iota_engine::digest::digest;

    /// Where one of a kind is, told by what it is named by.
    pub(in super::super) fn shard(kind: &str, name: &[u8]) -> String {
        format!("{kind}#{}", digest("iota-shard-v1", [name])[0] % SHARDS)
    }

    /// Everywhere that one of a kind may be.
    pub(in super::super) fn shards(kind: &str) -> impl Iterator<Item = String> {
        (0..SHARDS).map(move |shard| format!("{kind}#{shard}"))
    }

    pub(in super::super) fn pending(output: &str) -> String {
        format!("pending#{}", super::start(output))
    }

    /// Deliveries of an output that are not pending. Those made are told apart by the rule, which the storm limit counts by.
    pub(in super::super) fn settled(state: DeliveryState, output: &str, rule: &str) -> String {
        let output = super::start(output);
        match state {
            DeliveryState::Pending | DeliveryState::Delivered => format!("delivered#{output}#{rule}"),
            DeliveryState::Limited => format!("limited#{output}"),
            DeliveryState::Dead => format!("dead#{output}"),
            DeliveryState::Dropped => format!("dropped#{output}"),
        }
    }
}

impl Table {
    /// Over all parts of a kind: index items in the order of the number. `query` makes the query of one part.
    pub(super) async fn list(&self, kind: &str, query: impl Fn(String) -> Query) -> Work<Vec<(i64, Item)>> {
        use super::item::Read;
        let queries: Vec<Query> = listed::shards(kind).map(query).collect();
        let (backward, limit) = queries.first().map_or((false, None), |query| (query.backward, query.limit));
        let found = super::table::each(&queries, |query| self.query(query)).await?;
        let mut found: Vec<(i64, Item)> =
            found.into_iter().flatten().map(|item| Ok((item.number(AT)?, item))).collect::<Work<_>>()?;
        found.sort_by_key(|(at, _)| *at);
        if backward {
            found.reverse();
        }
        found.truncate(limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    /// The same, with all attributes of the items; without those that are gone meanwhile.
    pub(super) async fn list_whole(&self, kind: &str, query: impl Fn(String) -> Query) -> Work<Vec<Item>> {
        let listed = self.list(kind, query).await?;
        let keys = listed.iter().map(|(_, item)| Key::of(item)).collect::<Work<Vec<_>>>()?;
        let mut found = self.get_all(keys.clone()).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }
}
