//! Pictures that stand in for others.

use bytes::{BufMut, Bytes, BytesMut};

use super::blobs::noise;

const WIDTH: u32 = 2;
const HEIGHT: u32 = 2;

/// A picture of two by two pixels (PNG) whose colours follow from a text: the same text gives the same
/// picture. For requests whose pictures are not in a trace.
#[must_use]
pub fn picture(seed: &str) -> Bytes {
    let mut header = BytesMut::new();
    header.put_u32(WIDTH);
    header.put_u32(HEIGHT);
    // Eight bits of red, green and blue; the usual compression and filters, not interlaced.
    header.put_slice(&[8, 2, 0, 0, 0]);

    let colours = noise(seed, (WIDTH * HEIGHT * 3) as usize);
    let mut rows = Vec::new();
    for row in colours.chunks_exact((WIDTH * 3) as usize) {
        // Each row begins with its filter: none.
        rows.push(0);
        rows.extend_from_slice(row);
    }
    let mut out = BytesMut::new();
    out.put_slice(b"\x89PNG\r\n\x1a\n");
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"IDAT", &stored(&rows));
    chunk(&mut out, b"IEND", &[]);
    out.freeze()
}

/// Length, name, content and checksum.
fn chunk(out: &mut BytesMut, name: &[u8; 4], content: &[u8]) {
    out.put_u32(content.len() as u32);
    out.put_slice(name);
    out.put_slice(content);
    let mut sum = crc32fast::Hasher::new();
    sum.update(name);
    sum.update(content);
    out.put_u32(sum.finalize());
}

/// zlib's form (RFC 1950) of bytes that are not compressed: one last block that is stored.
fn stored(bytes: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_slice(&[0x78, 0x01, 0x01]);
    let length = bytes.len() as u16;
    out.put_u16_le(length);
    out.put_u16_le(!length);
    out.put_slice(bytes);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.put_u32(b << 16 | a);
    out
}
