//! One array of numbers, as NumPy writes it.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. Its header
//! is a Python literal that NumPy always spells alike, so it is read here; the crates that read any
//! literal bring a parser generator and big numbers with them.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;

use super::VectorIndex;

/// What the beginning of an array says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    big_endian: bool,
    number: Number,
    pub(super) shape: Vec<u64>,
    /// Where the numbers begin, in bytes.
    start: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Float(usize),
    Signed(usize),
    Unsigned(usize),
}

/// More components than any vector has: a header that says so is damaged.
const MOST_COMPONENTS: u64 = 1 << 24;

impl Header {
    pub(super) fn read(from: &mut impl Read) -> Result<Self, String> {
        let cut_off = |e: std::io::Error| format!("it ends in its header ({e})");
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(cut_off)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err("it is no file of NumPy's (.npy, .npz)".to_owned());
        }
        let (length, before) = match start[6] {
            1 => {
                let mut length = [0; 2];
                from.read_exact(&mut length).map_err(cut_off)?;
                (u64::from(u16::from_le_bytes(length)), 10)
            }
            2 | 3 => {
                let mut length = [0; 4];
                from.read_exact(&mut length).map_err(cut_off)?;
                (u64::from(u32::from_le_bytes(length)), 12)
            }
            other => return Err(format!("its format is {other}, and 1 to 3 are known")),
        };
        let mut text = Vec::new();
        from.take(length.min(1 << 20)).read_to_end(&mut text).map_err(cut_off)?;
        let text = String::from_utf8_lossy(&text);
        let mut header = Self::parse(&text).ok_or_else(|| {
            format!("its header is not that of an array of numbers: {}", text.trim())
        })??;
        header.start = before + length;
        Ok(header)
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
    fn parse(text: &str) -> Option<Result<Self, String>> {
        let after = |key: &str| Some(text.split_once(key)?.1.trim_start());
        let descr = after("'descr':")?.strip_prefix('\'')?.split_once('\'')?.0;
        let (big_endian, rest) = match descr.split_at_checked(1)? {
            ("<" | "|", rest) => (false, rest),
            (">", rest) => (true, rest),
            _ => return None,
        };
        let number = match rest {
            "f2" => Number::Float(2),
            "f4" => Number::Float(4),
            "f8" => Number::Float(8),
            "i1" => Number::Signed(1),
            "i2" => Number::Signed(2),
            "i4" => Number::Signed(4),
            "i8" => Number::Signed(8),
            "u1" => Number::Unsigned(1),
            "u2" => Number::Unsigned(2),
            "u4" => Number::Unsigned(4),
            "u8" => Number::Unsigned(8),
            _ => return None,
        };
        let shape = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape: Vec<u64> = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
        if after("'fortran_order':")?.starts_with("True") && shape.len() > 1 {
            return Some(Err(
                "its array stands column by column; save it with `numpy.ascontiguousarray`"
                    .to_owned(),
            ));
        }
        Some(Ok(Self { big_endian, number, shape, start: 0 }))
    }

    /// One row of an array of rows.
    pub(super) fn row(
        &self,
        file: &mut (impl Read + Seek),
        index: &VectorIndex,
    ) -> Result<Bytes, String> {
        let VectorIndex::Number(index) = *index else {
            return Err(format!("{index} is no row of an array; rows are numbered from 0"));
        };
        let rows = self.shape.first().copied().unwrap_or(0);
        if index >= rows {
            return Err(format!("it has {rows} rows, and {index} is none of them; the first is 0"));
        }
        if self.shape.len() < 2 {
            return Err("it holds a single vector, and a row of vectors is wanted".to_owned());
        }
        let components = components(&self.shape[1..])?;
        let at = self.start + index * components * self.number.size() as u64;
        file.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
        self.floats(file, components)
    }

    pub(super) fn whole(&self, from: &mut impl Read) -> Result<Bytes, String> {
        self.floats(from, components(&self.shape)?)
    }

    fn floats(&self, from: &mut impl Read, components: u64) -> Result<Bytes, String> {
        let size = self.number.size();
        let mut raw = Vec::new();
        let wanted = components * size as u64;
        from.take(wanted).read_to_end(&mut raw).map_err(|e| e.to_string())?;
        if raw.len() as u64 != wanted {
            return Err("it was cut off: the vector's end is missing".to_owned());
        }
        let mut floats = Vec::with_capacity(raw.len() / size * 4);
        for (i, bytes) in raw.chunks_exact(size).enumerate() {
            let value = self.number.read(bytes, self.big_endian);
            if !value.is_finite() {
                return Err(format!("component {i} of the vector is not a finite number"));
            }
            floats.extend_from_slice(&value.to_le_bytes());
        }
        Ok(floats.into())
    }
}

/// How many components a vector of a shape has.
pub(super) fn components(shape: &[u64]) -> Result<u64, String> {
    let product = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
    product.filter(|n| (1..=MOST_COMPONENTS).contains(n)).ok_or_else(|| {
        format!("a vector of the shape {shape:?} has no components, or too many to be one")
    })
}

impl Number {
    fn size(self) -> usize {
        match self {
            Number::Float(size) | Number::Signed(size) | Number::Unsigned(size) => size,
        }
    }

    /// The nearest float of 32 bits.
    fn read(self, bytes: &[u8], big_endian: bool) -> f32 {
        let mut all = [0; 8];
        for (to, from) in all.iter_mut().zip(bytes) {
            *to = *from;
        }
        if big_endian {
            all[..bytes.len()].reverse();
        }
        let bits = u64::from_le_bytes(all);
        match self {
            Number::Float(2) => half(bits as u16),
            Number::Float(4) => f32::from_bits(bits as u32),
            Number::Float(_) => f64::from_bits(bits) as f32,
            Number::Unsigned(_) => bits as f32,
            Number::Signed(size) => {
                let unused = 64 - 8 * size as u32;
                (((bits << unused) as i64) >> unused) as f32
            }
        }
    }
}

/// IEEE 754's binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// The beginning of a `.npy` file of `rows` vectors, always of the same length: so that it can be
/// written again when the number of rows is known.
pub(crate) fn npy_header(rows: u64, components: usize) -> Vec<u8> {
    const LENGTH: usize = 128;
    let text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {components}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&((LENGTH - 10) as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header.resize(LENGTH - 1, b' ');
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_they_are() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x8000, 0.0),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
