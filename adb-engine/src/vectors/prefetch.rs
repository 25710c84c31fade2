//! Memory that will be read soon.
//!
//! `unsafe`: the instruction takes a pointer. It reads nothing, changes nothing and never faults; the
//! pointer is within a slice all the same.

/// Bytes in a line of the processor's caches.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for all of `items`, which are read a little later. A list of rows that lie here and there is
/// waited for row by row otherwise.
#[inline(always)]
pub(super) fn soon<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in items.chunks((LINE / size_of::<T>().max(1)).max(1)) {
        // SAFETY: the pointer is a slice's.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                line.as_ptr().cast(),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}
