//! The bytes of stored records: numbers little-endian, or in as many bytes as they need (LEB128,
//! differences zigzagged), lengths before what they count.
//!
//! Written by hand because what is read back may be damaged: every read is checked, and a record
//! that does not decode to its last byte is an error.

use tributary_domain::FieldError;

/// A stored record that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    #[error("it ends {missing} bytes too early")]
    Short { missing: usize },
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    #[error("it was written in format {0}, which this version does not know")]
    Format(u8),
    #[error("a number is too large for its kind")]
    Number,
    #[error("a text is not UTF-8")]
    Text,
    #[error("a value is not one that was ever written")]
    Value(#[from] FieldError),
}

/// Appends values to a record.
#[derive(Debug)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
}

macro_rules! put {
    ($($name:ident: $number:ty),*) => {
        $(pub(crate) fn $name(&mut self, value: $number) {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        })*
    };
}

impl Encoder {
    /// A record in the given format.
    pub(crate) fn new(format: u8) -> Self {
        Self { bytes: vec![format] }
    }

    put!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64);

    /// A number that is mostly small: seven bits a byte, the lowest first.
    pub(crate) fn small(&mut self, value: impl Into<u64>) {
        let mut rest = value.into();
        while rest >= 0x80 {
            self.bytes.push(low_bits(rest) | 0x80);
            rest >>= 7;
        }
        self.bytes.push(low_bits(rest));
    }

    /// A number that is mostly near `base`, on either side.
    pub(crate) fn near(&mut self, base: i64, value: i64) {
        let difference = value.wrapping_sub(base);
        self.small(((difference << 1) ^ (difference >> 63)).cast_unsigned());
    }

    /// A length, which the contract's limits keep far below 2^32.
    pub(crate) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("the limits of the contract are far below 2^32"));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// As many bytes as the reader will ask for.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    pub(crate) fn texts(&mut self, texts: &[String]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    /// A flag, then the value where there is one.
    pub(crate) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes values from a record in the order in which they were put.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
}

macro_rules! take {
    ($($name:ident: $number:ty),*) => {
        $(pub(crate) fn $name(&mut self) -> Result<$number, Corrupt> {
            self.array().map(<$number>::from_le_bytes)
        })*
    };
}

impl<'a> Decoder<'a> {
    /// Opens a record that must be in the given format.
    pub(crate) fn new(bytes: &'a [u8], format: u8) -> Result<Self, Corrupt> {
        let mut decoder = Self { bytes };
        match decoder.u8()? {
            found if found == format => Ok(decoder),
            other => Err(Corrupt::Format(other)),
        }
    }

    /// Opens a record that must be in one of the given formats, and tells in which.
    pub(crate) fn any(bytes: &'a [u8], formats: &[u8]) -> Result<(Self, u8), Corrupt> {
        let mut decoder = Self { bytes };
        match decoder.u8()? {
            found if formats.contains(&found) => Ok((decoder, found)),
            other => Err(Corrupt::Format(other)),
        }
    }

    take!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64);

    /// What `Encoder::small` put.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Corrupt> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(Corrupt::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return T::try_from(value).map_err(|_| Corrupt::Number);
            }
        }
        Err(Corrupt::Number)
    }

    /// What `Encoder::near` put, with the same base.
    pub(crate) fn near(&mut self, base: i64) -> Result<i64, Corrupt> {
        let zigzag: u64 = self.small()?;
        let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        Ok(base.wrapping_add(difference))
    }

    /// The length of a list whose elements take at least `each` bytes. Checked against what is
    /// left, so that a damaged length cannot ask for all memory.
    pub(crate) fn length(&mut self, each: usize) -> Result<usize, Corrupt> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        match length.saturating_mul(each).checked_sub(self.bytes.len()) {
            Some(missing) if missing > 0 => Err(Corrupt::Short { missing }),
            _ => Ok(length),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.length(1)?;
        self.slice(length)
    }

    pub(crate) fn text(&mut self) -> Result<String, Corrupt> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Corrupt::Text)?;
        Ok(text.to_owned())
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>, Corrupt> {
        (0..self.length(4)?).map(|_| self.text()).collect()
    }

    pub(crate) fn option<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, Corrupt>,
    ) -> Result<Option<T>, Corrupt> {
        self.flag()?.then(|| take(self)).transpose()
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Corrupt> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(FieldError::new("flag", other).into()),
        }
    }

    /// Ends the reading: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), Corrupt> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(Corrupt::LeftOver(left)),
        }
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Corrupt> {
        let missing = length.saturating_sub(self.bytes.len());
        let (slice, rest) =
            self.bytes.split_at_checked(length).ok_or(Corrupt::Short { missing })?;
        self.bytes = rest;
        Ok(slice)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let slice = self.slice(N)?;
        Ok(slice.try_into().expect("the slice was taken with this length"))
    }
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_round_trip(small: u64, bits in 0_u32..64, base: i64, value: i64) {
            let small = small >> bits;
            let mut record = Encoder::new(1);
            record.small(small);
            record.near(base, value);
            let bytes = record.finish();
            let mut record = Decoder::new(&bytes, 1).unwrap();
            prop_assert_eq!(record.small(), Ok(small));
            prop_assert_eq!(record.near(base), Ok(value));
            prop_assert_eq!(record.finish(), Ok(()));
        }
    }

    #[test]
    fn numbers_that_were_never_written_are_errors() {
        let read = |bytes: &[u8]| Decoder { bytes }.small::<u64>();
        assert_eq!(read(&[0xff; 9]), Err(Corrupt::Short { missing: 1 }));
        assert_eq!(read(&[0xff; 11]), Err(Corrupt::Number));
        assert_eq!(read(&[&[0xff; 9][..], &[2]].concat()), Err(Corrupt::Number));
        assert_eq!(read(&[&[0xff; 9][..], &[1]].concat()), Ok(u64::MAX));
        assert_eq!(Decoder { bytes: &[0x80, 2] }.small::<u8>(), Err(Corrupt::Number));
    }
}
