//! The hash of hash buckets. It is part of the format of trained models: never change it.

use crate::Value;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The bucket of a text: FNV-1a with 64 bits over its UTF-8 bytes, finished with the mixing steps
/// of SplitMix64, modulo `buckets`.
pub fn bucket(bytes: &[u8], buckets: u64) -> u64 {
    let fnv = bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    mix(fnv) % buckets.max(1)
}

/// The bucket of a value: ids and numbers are hashed as eight little-endian bytes (numbers by
/// their IEEE 754 bits), texts as UTF-8. `None` for values without a single content.
pub(crate) fn bucket_of(value: &Value<'_>, buckets: u64) -> Option<u64> {
    match value {
        Value::Id(id) => Some(bucket(&id.to_le_bytes(), buckets)),
        Value::Number(number) => Some(bucket(&number.to_bits().to_le_bytes(), buckets)),
        Value::Text(text) => Some(bucket(text.as_bytes(), buckets)),
        Value::Missing | Value::Texts(_) | Value::Ids(_) | Value::Vector(_) => None,
    }
}

fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps done by hand in Python (see below): the buckets of trained models depend on them.
    ///
    /// ```python
    /// def bucket(data, n, m=2**64 - 1):
    ///     h = 0xcbf29ce484222325
    ///     for byte in data: h = (h ^ byte) * 0x100000001b3 & m
    ///     h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9 & m
    ///     h = (h ^ h >> 27) * 0x94d049bb133111eb & m
    ///     return (h ^ h >> 31) % n
    /// ```
    #[test]
    fn buckets_never_change() {
        for (bytes, expected) in [
            (&b""[..], 971_331_004),
            (b"a", 461_414_659),
            (b"Comedy", 87_769_531),
            (&42_u64.to_le_bytes(), 262_852_991),
        ] {
            assert_eq!(bucket(bytes, 1_000_000_007), expected, "{bytes:?}");
        }
        assert_eq!(bucket(b"anything", 0), 0);
    }
}
