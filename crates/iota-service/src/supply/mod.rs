//! Where packs come from: whether they are what somebody signed, and fetching them.

mod files;
mod git;
mod manifest;
mod pull;
mod signature;

pub use files::Unreadable;
pub use git::{GitError, Revision};
pub use manifest::{Difference, MANIFEST, Manifest, SIGNATURE};
pub use pull::{PullError, Pulled, Source, Staged, stage};
pub use signature::{PublicKeys, SignatureError, check_directory, check_snapshot, commit_differences};
