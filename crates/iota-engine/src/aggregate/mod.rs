//! Matches to alerts: groups, windows, thresholds (docs/ARCHITECTURE.md, Aggregation).
//! Alert ids and counts are functions of the *set* of matches: the order in which they come never matters.
//! Knows nothing of rules, records or outputs.

mod cell;
mod closing;
mod group;
mod segment;

pub(crate) use cell::Cell;
pub use cell::{Rank, Sighting};
pub use closing::{Closed, Closing};
pub use group::{Change, Cut, Finding, Group, GroupKey, Window};
pub(crate) use segment::{Segment, crosses, segments};
