//! Memory that will be read soon.
//!
//! `unsafe`: the instruction takes a pointer. It reads nothing, changes nothing and never faults; the
//! pointer is within a slice all the same.

/// Numbers in a line of the processor's caches.
const LINE: usize = 16;

/// Asks for all of `words`, which are read a little later. A list of rows that lie here and there is
/// waited for row by row otherwise.
#[inline(always)]
pub(super) fn soon(words: &[u32]) {
    #[cfg(target_arch = "x86_64")]
    for line in words.chunks(LINE) {
        // SAFETY: the pointer is a slice's.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                line.as_ptr().cast(),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (words, LINE);
}
