//! Checksums of blobs and vectors.

/// CRC-32 (that of zip and Ethernet) over the object's id, as eight bytes in little endian, and its
/// bytes. With the id in it, bytes that stand in another object's place do not pass.
pub(crate) fn sum(id: i64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn every_bit_and_the_object_count() {
        let mut bytes = vec![7; 2048];
        let whole = sum(5, &bytes);
        assert_ne!(whole, sum(6, &bytes));
        for bit in [0, 1000, 2048 * 8 - 1] {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(whole, sum(5, &bytes));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(whole, sum(5, &bytes));
        // What the format says, so that others can check it.
        assert_eq!(sum(0, b"123456789"), crc32fast::hash(b"\0\0\0\0\0\0\0\x00123456789"));
    }
}
