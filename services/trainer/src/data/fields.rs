//! Fields that several formats share: titles with a year, ages, genders.

use tributary_domain::Gender;

/// Splits `Toy Story (1995)` into title and year; a title without a year stays whole.
pub(super) fn title_and_year(text: &str) -> (String, Option<u16>) {
    let text = text.trim();
    let year = text
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('))
        .and_then(|(title, digits)| Some((title.trim(), year(digits)?)));
    match year {
        Some((title, year)) => (title.to_owned(), Some(year)),
        None => (text.to_owned(), None),
    }
}

/// A year of four digits.
pub(super) fn year(digits: &str) -> Option<u16> {
    let digits = digits.trim();
    (digits.len() == 4).then(|| digits.parse().ok()).flatten()
}

/// `M`, `F` and full words; anything else is not known.
pub(super) fn gender(text: Option<&str>) -> Option<Gender> {
    match text?.to_ascii_lowercase().as_str() {
        "f" | "female" => Some(Gender::Female),
        "m" | "male" => Some(Gender::Male),
        "other" => Some(Gender::Other),
        _ => None,
    }
}

/// Ages between 1 and 120; data sets write 0 or -1 for unknown.
pub(super) fn age(age: Option<f64>) -> Option<u8> {
    let age = age.filter(|age| (1.0..=120.0).contains(age))?;
    u8::try_from(crate::number::floor(age)).ok()
}

/// The names that stand for "no genre".
pub(super) fn is_genre(name: &str) -> bool {
    !matches!(name, "(no genres listed)" | "unknown" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_lose_only_a_final_year() {
        for (text, title, year) in [
            ("Toy Story (1995)", "Toy Story", Some(1995)),
            ("Seven (a.k.a. Se7en) (1995)", "Seven (a.k.a. Se7en)", Some(1995)),
            ("Babylon 5", "Babylon 5", None),
            ("Odd (95)", "Odd (95)", None),
            (" Death Note (2006–2007) ", "Death Note (2006–2007)", None),
        ] {
            assert_eq!(title_and_year(text), (title.to_owned(), year), "{text}");
        }
    }
}
