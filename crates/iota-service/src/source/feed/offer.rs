//! The way of inputs from sources that work beside the loop to it, and of what became of each back to its source.
//! Bounded by the bytes in memory, however many sources there are.

use crate::pipeline::Ended;
use crate::source::Input;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Bytes of inputs that are being fetched or wait for their commit, in KiB.
pub(super) const ROOM_KIB: usize = 64 << 10;
/// What an input takes at least, in KiB, so that their number is bounded too.
const LEAST_KIB: usize = 8;

/// An input, and the way back.
#[derive(Debug)]
pub struct Offer {
    pub input: Input,
    ended: oneshot::Sender<Ended>,
    _room: Room,
}

impl Offer {
    /// What became of it. One that is dropped was not read.
    pub fn settle(self, ended: Ended) {
        // The source may have ended.
        let _ = self.ended.send(ended);
    }
}

/// Room for an input in memory.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    pub(super) fn bytes(&self) -> usize {
        self.0.num_permits() << 10
    }

    /// It turned out to be smaller.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let surplus = self.0.num_permits().saturating_sub(kib(bytes));
        drop(self.0.split(surplus));
    }
}

/// What so many bytes take of the room.
pub(super) fn kib(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_KIB).clamp(LEAST_KIB, ROOM_KIB)
}

/// Where sources put inputs.
#[derive(Clone)]
pub(super) struct Offers {
    sender: Sender<Offer>,
    room: Arc<Semaphore>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers").field("room_kib", &self.room.available_permits()).finish_non_exhaustive()
    }
}

/// `wake` is called when there is an input to take.
pub(super) fn offers(wake: Arc<dyn Fn() + Send + Sync>) -> (Offers, Receiver<Offer>) {
    let (sender, receiver) = unbounded();
    (Offers { sender, room: Arc::new(Semaphore::new(ROOM_KIB)), wake }, receiver)
}

impl Offers {
    /// Waits until there is room for so many bytes.
    pub(super) async fn room(&self, bytes: u64) -> Room {
        let kib = u32::try_from(kib(bytes)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(kib).await;
        Room(permit.expect("never closed"))
    }

    /// Hands an input to the loop, and waits for what becomes of it.
    pub(super) async fn offer(&self, input: Input, room: Room) -> Ended {
        let (ended, answer) = oneshot::channel();
        if self.sender.send(Offer { input, ended, _room: room }).is_err() {
            return Ended::Interrupted;
        }
        (self.wake)();
        answer.await.unwrap_or(Ended::Interrupted)
    }
}
