//! A list of objects that takes few bytes for each: there may be millions, and their names are much alike.
//! Knows no buckets, and not what is read of them.

use super::BatchObject;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Objects that are packed together. Of 128, each takes about 40 bytes; what is in them cannot get much smaller, as every name
/// ends in 16 random characters and every etag is 32 random digits.
const BLOCK: usize = 128;
/// Blocks that stay unpacked: those who fetch, decode and collect are each at a place of their own.
const UNPACKED: usize = 8;

type Block = Arc<[BatchObject]>;

/// In the order in which they were put in.
#[derive(Debug, Default)]
pub struct ObjectList {
    /// Deflated JSON of a block each.
    packed: Vec<Box<[u8]>>,
    /// Those behind the last full block.
    rest: Vec<BatchObject>,
    bytes: u64,
    /// With their numbers; the one that was used last is at the end.
    unpacked: Mutex<VecDeque<(usize, Block)>>,
}

impl ObjectList {
    pub fn push(&mut self, object: BatchObject) {
        self.bytes = self.bytes.saturating_add(object.size);
        self.rest.push(object);
        if self.rest.len() == BLOCK {
            self.packed.push(pack(&self.rest));
            self.rest.clear();
        }
    }

    pub fn len(&self) -> usize {
        self.packed.len() * BLOCK + self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&self, index: usize) -> Option<BatchObject> {
        let (block, at) = (index / BLOCK, index % BLOCK);
        if block == self.packed.len() { self.rest.get(at).cloned() } else { self.block(block)?.get(at).cloned() }
    }

    fn block(&self, number: usize) -> Option<Block> {
        let used = || self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        let again = |blocks: &mut VecDeque<(usize, Block)>| {
            let at = blocks.iter().position(|(of, _)| *of == number)?;
            let (_, block) = blocks.remove(at)?;
            blocks.push_back((number, Arc::clone(&block)));
            Some(block)
        };
        if let Some(block) = again(&mut used()) {
            return Some(block);
        }
        let block = unpack(self.packed.get(number)?).expect("it was packed here");
        let mut blocks = used();
        // Somebody else may have unpacked it meanwhile.
        again(&mut blocks).or_else(|| {
            if blocks.len() == UNPACKED {
                blocks.pop_front();
            }
            blocks.push_back((number, Arc::clone(&block)));
            Some(block)
        })
    }
}

fn pack(objects: &[BatchObject]) -> Box<[u8]> {
    let json = serde_json::to_vec(objects).expect("texts and numbers are JSON");
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&json).and_then(|()| encoder.finish()).expect("memory takes what is written").into()
}

fn unpack(packed: &[u8]) -> io::Result<Block> {
    let mut json = Vec::new();
    DeflateDecoder::new(packed).read_to_end(&mut json)?;
    Ok(serde_json::from_slice::<Vec<_>>(&json)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use iota_engine::store::Terms;

    /// As AWS names them, with what is random in names and etags made from the number.
    fn object(number: usize) -> BatchObject {
        let random = iota_engine::digest::hex(&iota_engine::digest::digest("test", [&number.to_be_bytes()[..]]));
        let url = format!(
            "s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/07/15/111122223333_CloudTrail_eu-west-1_20240715T{:04}Z_{}é\n.json.gz",
            number / 100,
            &random[..16]
        );
        let terms = number.is_multiple_of(3).then_some(Terms { late_before_ms: Some(1), send_from_ms: None });
        BatchObject { url, etag: (!number.is_multiple_of(7)).then_some(random), size: number as u64, terms }
    }

    #[test]
    fn objects_come_back_as_they_were_in_any_order() {
        let count = BLOCK * (UNPACKED + 3) + 5;
        let mut list = ObjectList::default();
        for number in 0..count {
            list.push(object(number));
        }
        assert_eq!((list.len(), list.bytes(), list.get(count)), (count, (0..count as u64).sum(), None));
        for number in (0..count).chain((0..count).rev()).chain((0..count).map(|number| number * 977 % count)) {
            assert_eq!(list.get(number), Some(object(number)));
            assert!(list.unpacked.lock().unwrap().len() <= UNPACKED);
        }
    }

    #[test]
    fn an_object_takes_few_bytes() {
        let mut list = ObjectList::default();
        for number in 0..BLOCK * 100 {
            list.push(object(number));
        }
        let bytes: usize = list.packed.iter().map(|block| block.len() + size_of::<Box<[u8]>>()).sum();
        assert!(list.rest.is_empty() && bytes / list.len() < 64, "{} bytes for each", bytes / list.len());
    }
}
