//! Made-up words, genres and occupations.

const SYLLABLES: [&str; 20] = [
    "ba", "dor", "fi", "gal", "hu", "jen", "ka", "lum", "mi", "nor", "pe", "qua", "ri", "sol",
    "ta", "ul", "ven", "wi", "xa", "zel",
];

pub(super) const GENRES: [&str; 20] = [
    "Abstract",
    "Animals",
    "Architecture",
    "Comics",
    "Costume",
    "Dance",
    "Fantasy",
    "Food",
    "Garden",
    "History",
    "Horror",
    "Machines",
    "Mountains",
    "Music",
    "Portrait",
    "Romance",
    "Sea",
    "Space",
    "Sport",
    "Still life",
];

pub(super) const OCCUPATIONS: [&str; 12] = [
    "artist",
    "clerk",
    "doctor",
    "driver",
    "engineer",
    "farmer",
    "lawyer",
    "scientist",
    "seller",
    "student",
    "teacher",
    "writer",
];

/// A word for a number, different ones for different numbers below 8,000.
pub(super) fn word(number: usize) -> String {
    let count = SYLLABLES.len();
    let syllables = [number % count, number / count % count, number / (count * count) % count];
    syllables.iter().map(|syllable| SYLLABLES[*syllable]).collect()
}
