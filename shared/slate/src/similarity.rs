//! What makes two items alike: their vectors and their labels.

use ndarray::{Array2, ArrayViewMut1, s};

/// Labels are hashed into this many numbers. Two different labels may share one; with a few labels
/// an item the noise is small beside what equal labels say.
const LABEL_DIMENSIONS: usize = 32;

/// What is known of an item.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traits<'a> {
    /// From the bundle; all of one request have the same length.
    pub vector: Option<&'a [f32]>,
    pub genres: &'a [String],
    pub tags: &'a [String],
}

/// The vectors that items are compared by, one row for each item. The cosine of two rows is
/// `(1 - label_share)` times the cosine of their vectors plus `label_share` times that of their
/// hashed labels.
///
/// An item without a vector is compared by its labels alone, one without labels by its vector
/// alone; one with neither has a row of zeros, which differs from everything.
///
/// # Panics
/// Where vectors have different lengths.
pub fn vectors(items: &[Traits<'_>], label_share: f32) -> Array2<f32> {
    let label_share = label_share.clamp(0.0, 1.0);
    let width = items.iter().find_map(|item| item.vector).map_or(0, <[f32]>::len);
    let labels = if label_share > 0.0 { LABEL_DIMENSIONS } else { 0 };
    let mut rows = Array2::zeros((items.len(), width + labels));
    for (item, mut row) in items.iter().zip(rows.rows_mut()) {
        if let Some(vector) = item.vector {
            assert_eq!(vector.len(), width, "all vectors have one length");
            let mut part = row.slice_mut(s![..width]);
            part.iter_mut().zip(vector).for_each(|(to, from)| *to = *from);
            scale_to(part, (1.0 - label_share).sqrt());
        }
        if labels > 0 {
            let mut part = row.slice_mut(s![width..]);
            for label in item.genres.iter().chain(item.tags) {
                add_label(part.view_mut(), label);
            }
            scale_to(part, label_share.sqrt());
        }
    }
    rows
}

fn scale_to(mut part: ArrayViewMut1<'_, f32>, length: f32) {
    let scale = length / part.dot(&part).sqrt();
    if scale.is_finite() {
        part *= scale;
    }
}

/// Each label is one number with a sign, at two places, so that a collision at one of them does not
/// make two labels the same.
fn add_label(mut part: ArrayViewMut1<'_, f32>, label: &str) {
    let hash = hash(label);
    for half in [hash, hash.rotate_left(32)] {
        let [place, sign, ..] = half.to_le_bytes();
        part[usize::from(place) % LABEL_DIMENSIONS] += if sign & 1 == 0 { 1.0 } else { -1.0 };
    }
}

/// FNV-1a of the lower-case label, with its bits mixed once more. The same on every machine.
fn hash(label: &str) -> u64 {
    let characters = label.chars().flat_map(char::to_lowercase);
    let hash = characters.fold(0xcbf2_9ce4_8422_2325_u64, |hash, character| {
        (hash ^ u64::from(u32::from(character))).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn cosine(rows: &Array2<f32>, one: usize, other: usize) -> f32 {
        let (one, other) = (rows.row(one), rows.row(other));
        one.dot(&other) / (one.dot(&one) * other.dot(&other)).sqrt()
    }

    #[test]
    fn mixes_vectors_and_labels_by_their_share() {
        let genres = labels(&["Comedy"]);
        let upper = labels(&["COMEDY"]);
        let items = [
            Traits { vector: Some(&[2.0, 0.0]), genres: &genres, tags: &[] },
            Traits { vector: Some(&[0.0, 5.0]), genres: &upper, tags: &[] },
            Traits { vector: Some(&[1.0, 1.0]), ..Traits::default() },
        ];
        let rows = vectors(&items, 0.25);
        assert!((cosine(&rows, 0, 1) - 0.25).abs() < 1e-6);
        assert!((cosine(&rows, 0, 2) - (0.75_f32 * 0.5).sqrt()).abs() < 1e-6);
        let rows = vectors(&items, 0.0);
        assert_eq!(rows.ncols(), 2);
        assert!(cosine(&rows, 0, 1).abs() < 1e-6);
    }

    #[test]
    fn goes_by_labels_where_there_are_no_vectors() {
        let (drama, western) = (labels(&["Drama", "War"]), labels(&["Western"]));
        let item = |genres| Traits { genres, ..Traits::default() };
        let rows = vectors(&[item(&drama), item(&drama), item(&western), item(&[])], 0.3);
        assert!((cosine(&rows, 0, 1) - 1.0).abs() < 1e-6);
        assert!(cosine(&rows, 0, 2) < 0.9);
        assert!(rows.row(3).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn labels_of_movies_are_told_apart() {
        let names = [
            "Action",
            "Adventure",
            "Animation",
            "Children",
            "Comedy",
            "Crime",
            "Documentary",
            "Drama",
            "Fantasy",
            "Film-Noir",
            "Horror",
            "Musical",
            "Mystery",
            "Romance",
            "Sci-Fi",
            "Thriller",
            "War",
            "Western",
        ];
        let genres: Vec<Vec<String>> = names.iter().map(|name| labels(&[name])).collect();
        let items: Vec<Traits<'_>> =
            genres.iter().map(|genres| Traits { genres, ..Traits::default() }).collect();
        let rows = vectors(&items, 1.0);
        for one in 0..names.len() {
            for other in 0..one {
                let likeness = cosine(&rows, one, other);
                assert!(likeness < 0.99, "{} {} {likeness}", names[one], names[other]);
            }
        }
    }
}
