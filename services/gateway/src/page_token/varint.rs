//! Unsigned LEB128 numbers.

const MORE: u8 = 0x80;
const BITS: u32 = 7;

pub(super) fn write(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & !MORE;
        value >>= BITS;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | MORE);
    }
}

pub(super) fn write_length(bytes: &mut Vec<u8>, length: usize) {
    write(bytes, u64::try_from(length).expect("a length fits 64 bits"));
}

/// Reads from the front; `None` where the bytes end early or a number is too large.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(BITS as usize) {
            let byte = *self.rest.first()?;
            self.rest = &self.rest[1..];
            let part = u64::from(byte & !MORE);
            // The last byte of ten holds one bit.
            if part << shift >> shift != part {
                return None;
            }
            value |= part << shift;
            if byte & MORE == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}
