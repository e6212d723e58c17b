//! How the inputs of a round are shared out among the sources.

/// Inputs and bytes of one round, at most: what was read counts as read when the round is over.
const ROUND_INPUTS: usize = 1_000;
const ROUND_BYTES: u64 = 128 << 20;

/// What of a round each source may take: of what those before it have left, as much as those behind it.
#[derive(Debug)]
pub(super) struct Share {
    sources: usize,
    inputs: usize,
    bytes: u64,
}

impl Share {
    pub(super) fn new(sources: usize) -> Self {
        Self { sources, inputs: ROUND_INPUTS, bytes: ROUND_BYTES }
    }

    /// Inputs and about so many bytes, of the next one.
    pub(super) fn next(&mut self) -> (usize, u64) {
        let left = self.sources.max(1);
        self.sources = left - 1;
        (self.inputs.div_ceil(left), self.bytes.div_ceil(left as u64).max(1))
    }

    pub(super) fn used(&mut self, bytes: u64) {
        self.inputs = self.inputs.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_takes_all_of_a_round() {
        let mut share = Share::new(3);
        let mut taken = Vec::new();
        // Each has more than fits, and the first one large inputs.
        for size in [ROUND_BYTES, 1, 1] {
            let (inputs, bytes) = share.next();
            assert!(bytes > 0);
            let count = inputs.min(usize::try_from(bytes.div_ceil(size)).unwrap());
            (0..count).for_each(|_| share.used(size));
            taken.push(count);
        }
        assert!(taken[0] == 1 && taken[1] > 0 && taken[2] > 0, "{taken:?}");
        assert_eq!(Share::new(1).next(), (ROUND_INPUTS, ROUND_BYTES), "one alone takes all");
        let mut share = Share::new(2);
        assert_eq!(
            (share.next().0, share.next().0),
            (ROUND_INPUTS / 2, ROUND_INPUTS),
            "what one does not take is left to the next"
        );
    }
}
