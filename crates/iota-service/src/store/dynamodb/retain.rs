//! Forgets alerts that were kept long enough. All else DynamoDB deletes by itself, at the time in `ttl`.

use super::DynamoDb;
use super::alert::Whole;
use super::item::{Item, Key, Read};
use super::query::Query;
use super::table::each;
use super::trouble::Work;
use super::write::Write;
use iota_engine::store::{DeliveryState, KEEP_ALERTS_MS};

impl DynamoDb {
    /// What is still to be delivered, or waits for somebody in the dead letters, stays, and so does its alert; that cannot
    /// be said with a time, so these alerts have none.
    pub(super) async fn forget_alerts(&self, now_ms: i64) -> Work<()> {
        let kept = now_ms.saturating_sub(KEEP_ALERTS_MS);
        let old = self.table.list("alert", |ik| Query::listed(ik).between(None, Some(kept))).await?;
        let forget = |(_, item): (i64, Item)| async move {
            let id = item.text("pk")?.trim_start_matches("alert#").to_owned();
            let whole = Whole::read(&self.table, &id).await?;
            let is_needed = |state| matches!(state, DeliveryState::Pending | DeliveryState::Dead);
            if whole.deliveries.iter().any(|row| is_needed(row.delivery.state) || row.delivery.created_ms >= kept) {
                return Ok(());
            }
            // The alert last: as long as it is there, the rest is found.
            let (alert, rest): (Vec<Key>, Vec<Key>) = whole.keys.into_iter().partition(|key| *key == Key::alert(&id));
            for key in rest.into_iter().chain(alert) {
                self.table.write(&Write::delete(key)).await?;
            }
            Ok(())
        };
        each(old, forget).await.map(drop)
    }
}
