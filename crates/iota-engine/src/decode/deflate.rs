//! One-shot inflation of gzip with libdeflate, which is about twice as fast as inflating a stream.
//! The safe crate around it does not tell where a member ends, and inputs may have several: hence the calls to C.

#![expect(unsafe_code, reason = "calls into libdeflate")]

use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_free_decompressor, libdeflate_gzip_decompress_ex,
    libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE as INSUFFICIENT_SPACE, libdeflate_result_LIBDEFLATE_SUCCESS as SUCCESS,
};
use std::ptr::NonNull;

/// Why a member was not inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeflateError {
    /// It does not fit into the output.
    Space,
    /// It is damaged or incomplete.
    Damaged,
}

/// Bytes of the input that a member took, and of the output that it filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemberSize {
    pub(super) taken: usize,
    pub(super) filled: usize,
}

/// Tables of libdeflate, to be reused.
#[derive(Debug)]
pub(super) struct Decompressor(NonNull<libdeflate_decompressor>);

// SAFETY: it is memory that belongs to nothing else; libdeflate has no state per thread.
unsafe impl Send for Decompressor {}

impl Decompressor {
    /// `None` without memory.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: no preconditions; null when there is no memory.
        NonNull::new(unsafe { libdeflate_alloc_decompressor() }).map(Self)
    }

    /// Inflates the gzip member that `input` starts with, and checks its checksum and length.
    pub(super) fn member(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberSize, DeflateError> {
        let (mut taken, mut filled) = (0, 0);
        // SAFETY: the decompressor is live and borrowed mutably; both slices are valid for their lengths, libdeflate reads
        // only within `input` and writes only within `output`; the two results are valid places to write to.
        let result = unsafe {
            libdeflate_gzip_decompress_ex(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                output.as_mut_ptr().cast(),
                output.len(),
                &raw mut taken,
                &raw mut filled,
            )
        };
        match result {
            SUCCESS => Ok(MemberSize { taken, filled }),
            INSUFFICIENT_SPACE => Err(DeflateError::Space),
            _ => Err(DeflateError::Damaged),
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: allocated by libdeflate, freed once.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}
