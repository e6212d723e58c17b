//! Changes of single items, alone or several at once, each with the condition under which it may be made.

use super::item::{Item, Key, PK};
use super::table::Table;
use super::trouble::{Trouble, Work};
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, ReturnValue, TransactWriteItem, Update};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use iota_engine::digest::hex;
use std::collections::HashMap;

/// Most writes of one transaction.
pub(super) const AT_ONCE: usize = 100;
/// Bytes of one transaction at most; DynamoDB takes 4 MB, and counts a little more than the attributes.
pub(super) const BYTES_AT_ONCE: usize = 3 << 20;

#[derive(Debug, Clone)]
pub(super) struct Write {
    key: Key,
    action: Action,
    condition: Option<String>,
    values: HashMap<String, AttributeValue>,
}

#[derive(Debug, Clone)]
enum Action {
    Put(Item),
    /// In the language of update expressions; attributes are written `#name`, values `:name`.
    Update(String),
    Delete,
    /// Nothing is changed; the condition has to hold.
    Check,
}

impl Write {
    fn new(key: Key, action: Action) -> Self {
        Self { key, action, condition: None, values: HashMap::new() }
    }

    /// Takes the place of what is there. The key is added to the attributes.
    pub(super) fn put(key: Key, mut attributes: Item) -> Self {
        attributes.extend(key.item());
        Self::new(key, Action::Put(attributes))
    }

    pub(super) fn update(key: Key, change: impl Into<String>) -> Self {
        Self::new(key, Action::Update(change.into()))
    }

    pub(super) fn delete(key: Key) -> Self {
        Self::new(key, Action::Delete)
    }

    pub(super) fn check(key: Key) -> Self {
        Self::new(key, Action::Check)
    }

    #[must_use]
    pub(super) fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    #[must_use]
    pub(super) fn when_new(self) -> Self {
        self.when(format!("attribute_not_exists(#{PK})"))
    }

    #[must_use]
    pub(super) fn when_there(self) -> Self {
        self.when(format!("attribute_exists(#{PK})"))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// Bytes that it writes, about.
    pub(super) fn size(&self) -> usize {
        let attributes = match &self.action {
            Action::Put(item) => item.iter().map(|(name, value)| name.len() + size(value)).sum(),
            Action::Update(_) | Action::Delete | Action::Check => 0,
        };
        attributes + self.values.values().map(size).sum::<usize>() + 200
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        let update = if let Action::Update(change) = &self.action { change } else { "" };
        names([update, self.condition.as_deref().unwrap_or_default()])
    }

    fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        Some(self.values.clone()).filter(|values| !values.is_empty())
    }

    fn in_transaction(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let (names, values, condition) = (self.names(), self.values(), self.condition.clone());
        let item = TransactWriteItem::builder();
        Ok(match &self.action {
            Action::Put(attributes) => item.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(attributes.clone()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Update(change) => item.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(self.key.item()))
                    .update_expression(change)
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Delete => item.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(self.key.item()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Action::Check => item.condition_check(
                ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(self.key.item()))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
        }
        .build())
    }
}

/// What the `#name`s of expressions stand for: the name itself. Written so because many names are reserved words.
pub(super) fn names<'a>(expressions: impl IntoIterator<Item = &'a str>) -> Option<HashMap<String, String>> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let of = |expression: &'a str| {
        expression.split('#').skip(1).map(move |rest| rest.split(|letter| !is_name(letter)).next().unwrap_or_default())
    };
    let names: HashMap<_, _> = expressions.into_iter().flat_map(of).map(|name| (format!("#{name}"), name.to_owned())).collect();
    Some(names).filter(|names| !names.is_empty())
}

fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 100,
    }
}

impl Table {
    /// Makes one change. `Changed` when its condition did not hold, also where an attempt whose answer was lost had made
    /// it.
    pub(super) async fn write(&self, write: &Write) -> Work<()> {
        match &write.action {
            Action::Put(attributes) => {
                let put = || {
                    self.client
                        .put_item()
                        .table_name(&self.name)
                        .set_item(Some(attributes.clone()))
                        .set_condition_expression(write.condition.clone())
                        .set_expression_attribute_names(write.names())
                        .set_expression_attribute_values(write.values())
                        .send()
                };
                self.again("dynamodb:PutItem", put, |_| None).await.map(drop)
            }
            Action::Update(_) => self.update(write).await.map(drop),
            Action::Delete => {
                let delete = || {
                    self.client
                        .delete_item()
                        .table_name(&self.name)
                        .set_key(Some(write.key.item()))
                        .set_condition_expression(write.condition.clone())
                        .set_expression_attribute_names(write.names())
                        .set_expression_attribute_values(write.values())
                        .send()
                };
                self.again("dynamodb:DeleteItem", delete, |_| None).await.map(drop)
            }
            Action::Check => self.transact(std::slice::from_ref(write)).await,
        }
    }

    /// Changes one item, and gives all of it as it is then.
    pub(super) async fn update(&self, write: &Write) -> Work<Item> {
        let Action::Update(change) = &write.action else { return Ok(Item::new()) };
        let update = || {
            self.client
                .update_item()
                .table_name(&self.name)
                .set_key(Some(write.key.item()))
                .update_expression(change)
                .set_condition_expression(write.condition.clone())
                .set_expression_attribute_names(write.names())
                .set_expression_attribute_values(write.values())
                .return_values(ReturnValue::AllNew)
                .send()
        };
        let answer = self.again("dynamodb:UpdateItem", update, |_| None).await?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// Makes all changes or none; one alone costs half of what it does in a transaction.
    pub(super) async fn write_all(&self, writes: &[Write]) -> Work<()> {
        match writes {
            [] => Ok(()),
            [alone] => self.write(alone).await,
            all => self.transact(all).await,
        }
    }

    /// Makes all changes or none. `Changed` when a condition did not hold.
    pub(super) async fn transact(&self, writes: &[Write]) -> Work<()> {
        let items = writes.iter().map(|write| write.in_transaction(&self.name)).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| Trouble::Refused(error.to_string()))?;
        // With the same token, what was made by an attempt whose answer was lost is told as made, for ten minutes.
        let token = hex(&fastrand::u128(..).to_be_bytes());
        let transact = || {
            let items = Some(items.clone());
            self.client.transact_write_items().set_transact_items(items).client_request_token(&token).send()
        };
        self.again("dynamodb:TransactWriteItems", transact, canceled).await.map(drop)
    }
}

/// Why a transaction was not made, where it was for one of the items. What is left is throttling, or another transaction
/// that is at work on an item.
fn canceled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Option<Trouble> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error.as_service_error()? else { return None };
    let reasons = || canceled.cancellation_reasons().iter();
    if let Some(reason) =
        reasons().find(|reason| matches!(reason.code(), Some("ValidationError" | "ItemCollectionSizeLimitExceeded")))
    {
        return Some(Trouble::Refused(reason.message().unwrap_or("a transaction was refused").to_owned()));
    }
    if reasons().any(|reason| reason.code() == Some("ConditionalCheckFailed")) {
        return Some(Trouble::Changed);
    }
    Some(Trouble::Busy("dynamodb:TransactWriteItems: items are busy".to_owned()))
}
