//! What a run reads, in order. Knows where the name and the place of an input are kept, and nothing of what is in it.

use super::Input;
use super::s3::Objects;
use std::borrow::Cow;

/// Inputs that were listed one by one and, behind them, objects of buckets, of which there may be millions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs<'a> {
    pub listed: &'a [Input],
    pub objects: Option<&'a Objects>,
}

impl<'a> From<&'a [Input]> for Inputs<'a> {
    fn from(listed: &'a [Input]) -> Self {
        Self { listed, objects: None }
    }
}

impl<'a> Inputs<'a> {
    pub fn len(&self) -> usize {
        self.listed.len() + self.objects.map_or(0, Objects::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of all of them, as far as it is known.
    pub fn bytes(&self) -> u64 {
        self.listed.iter().map(|input| input.size).sum::<u64>() + self.objects.map_or(0, Objects::bytes)
    }

    pub(crate) fn get(self, index: usize) -> Option<Cow<'a, Input>> {
        match self.listed.get(index) {
            Some(input) => Some(Cow::Borrowed(input)),
            None => self.objects?.input(index - self.listed.len()).map(Cow::Owned),
        }
    }

    /// The one that a record names.
    pub(crate) fn of(self, unit: u32) -> Cow<'a, Input> {
        self.get(unit as usize).expect("records name inputs that were read")
    }
}
