//! Whether the table is one that state can be kept in. iota makes no table: it is not for it to decide what is paid for.

use super::DynamoDb;
use super::item::{AT, IK, Key, PK, Read, SK, TTL, item, number};
use super::query::{INDEX, PROJECTED};
use super::trouble::{Trouble, Work};
use super::write::Write;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndexDescription, KeySchemaElement, KeyType, ProjectionType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveStatus,
};

/// Of what is in the items.
const VERSION: i64 = 1;
const HELP: &str = "docs/OPERATING.md, \"State in DynamoDB\", has the command that makes a table";

/// Who opens the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Takes input: makes what is not there.
    Input,
    /// Looks at what others have put there.
    Desk,
}

impl DynamoDb {
    /// Refuses what is in doubt before anything is written.
    pub(super) async fn check(&self, who: For) -> Work<()> {
        let describe = || self.table.client.describe_table().table_name(&self.table.name).send();
        let described = self.table.again("dynamodb:DescribeTable", describe, |error| {
            let missing = error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception);
            missing.then(|| Trouble::Refused(format!("there is no such table in this region and account; {HELP}")))
        });
        let described = described.await?.table.ok_or_else(|| Trouble::Busy("it is not described".to_owned()))?;
        check_table(&described).map_err(|why| Trouble::Refused(format!("{why}; {HELP}")))?;
        if who == For::Input {
            self.check_ttl().await;
        }
        self.check_version(who).await
    }

    /// Without it nothing is wrong but what is old: iota does not look at it, and it is paid for.
    async fn check_ttl(&self) {
        let describe = || self.table.client.describe_time_to_live().table_name(&self.table.name).send();
        let said = match self.table.again("dynamodb:DescribeTimeToLive", describe, |_| None).await {
            Ok(answer) => {
                let ttl = answer.time_to_live_description;
                let on = ttl.as_ref().is_some_and(|ttl| {
                    let on = matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
                    on && ttl.attribute_name.as_deref() == Some(TTL)
                });
                (!on).then(|| format!("time to live is not switched on for attribute `{TTL}`; {HELP}"))
            }
            Err(error) => Some(format!("whether time to live is switched on is not known: {error}")),
        };
        if let Some(said) = said {
            tracing::warn!("DynamoDB table {}: {said}; what is old is not deleted", self.table.name);
        }
    }

    async fn check_version(&self, who: For) -> Work<()> {
        let key = Key::version();
        if who == For::Input && self.table.get(&key).await?.is_none() {
            let put = Write::put(key.clone(), item([("version", number(VERSION))])).when_new();
            match self.table.write(&put).await {
                Ok(()) | Err(Trouble::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(item) = self.table.get(&key).await? else {
            return Err(Trouble::Refused("there is no state in it; `iota run --state` makes it".to_owned()));
        };
        match item.number("version")? {
            VERSION => Ok(()),
            version => Err(Trouble::Refused(format!(
                "its state is of version {version}, this iota knows version {VERSION}; it was left as it is: use the newer iota"
            ))),
        }
    }
}

fn check_table(table: &TableDescription) -> Result<(), String> {
    let (types, keys) = (table.attribute_definitions(), table.key_schema());
    if !matches!(table.table_status, Some(TableStatus::Active | TableStatus::Updating)) {
        return Err(format!("its status is {}, not ACTIVE", table.table_status.as_ref().map_or("unknown", TableStatus::as_str)));
    }
    if !has(keys, types, &[(PK, KeyType::Hash, ScalarAttributeType::S), (SK, KeyType::Range, ScalarAttributeType::S)]) {
        return Err(format!("its key is not partition key `{PK}` (string) and sort key `{SK}` (string)"));
    }
    let Some(index) = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(INDEX)) else {
        return Err(format!("it has no global secondary index `{INDEX}`"));
    };
    if !has(
        index.key_schema(),
        types,
        &[(IK, KeyType::Hash, ScalarAttributeType::S), (AT, KeyType::Range, ScalarAttributeType::N)],
    ) {
        return Err(format!("the key of index `{INDEX}` is not partition key `{IK}` (string) and sort key `{AT}` (number)"));
    }
    let missing = missing(index);
    if !missing.is_empty() {
        return Err(format!("index `{INDEX}` does not include {}", missing.join(", ")));
    }
    Ok(())
}

fn has(keys: &[KeySchemaElement], types: &[AttributeDefinition], wanted: &[(&str, KeyType, ScalarAttributeType)]) -> bool {
    let holds = |(name, kind, scalar): &(&str, KeyType, ScalarAttributeType)| {
        let key = keys.iter().any(|key| key.attribute_name() == *name && key.key_type() == kind);
        key && types.iter().any(|attribute| attribute.attribute_name() == *name && attribute.attribute_type() == scalar)
    };
    keys.len() == wanted.len() && wanted.iter().all(holds)
}

/// Attributes that lists need and the index does not have.
fn missing(index: &GlobalSecondaryIndexDescription) -> Vec<&'static str> {
    let projection = index.projection();
    if projection.and_then(|projection| projection.projection_type()) == Some(&ProjectionType::All) {
        return Vec::new();
    }
    let included: Vec<&str> =
        projection.map(|projection| projection.non_key_attributes().iter().map(String::as_str).collect()).unwrap_or_default();
    PROJECTED.into_iter().filter(|name| !included.contains(name)).collect()
}
