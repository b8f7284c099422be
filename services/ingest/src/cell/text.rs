use crate::schema::Charset;

/// 0x80 to 0x9f of MySQL's latin1; the rest of it is as in Unicode.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text that these bytes of the binlog are. `None` where they are none.
pub(super) fn decode(bytes: Vec<u8>, charset: &Charset) -> Option<String> {
    match charset {
        Charset::Utf8 => String::from_utf8(bytes).ok(),
        Charset::Latin1 => Some(bytes.into_iter().map(latin1).collect()),
        Charset::Other(_) => None,
    }
}

fn latin1(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_by_their_charset() {
        let decoded = |bytes: &[u8], charset| decode(bytes.to_vec(), &charset);
        assert_eq!(decoded("猫".as_bytes(), Charset::Utf8).as_deref(), Some("猫"));
        assert_eq!(decoded(b"caf\xe9 \x80", Charset::Latin1).as_deref(), Some("café €"));
        assert_eq!(decoded(b"\xff", Charset::Utf8), None);
        assert_eq!(decoded(b"a", Charset::Other("sjis".into())), None);
    }
}
