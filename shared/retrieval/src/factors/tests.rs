use ndarray::array;
use tributary_domain::ItemId;

use super::*;

const LOSS: Loss = Loss { unobserved: 0.25, regularisation: 0.5 };

fn items() -> Array2<f64> {
    array![[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]]
}

/// The loss that [`Fold::vector`] makes smallest, written down from its definition.
fn loss(vector: &Array1<f64>, met: &[(usize, f64)]) -> f64 {
    let items = items();
    let all: f64 = items.rows().into_iter().map(|item| item.dot(vector).powi(2)).sum();
    let observed: f64 =
        met.iter().map(|(row, weight)| weight * (1.0 - items.row(*row).dot(vector)).powi(2)).sum();
    let part = met.iter().map(|(_, weight)| weight).sum::<f64>() + LOSS.unobserved * 3.0;
    LOSS.unobserved * all + observed + LOSS.regularisation * part * vector.dot(vector)
}

#[test]
fn the_folded_vector_has_the_least_loss() {
    let fold = Fold::new(items(), LOSS);
    for met in [&[][..], &[(0, 1.0)], &[(2, 0.3), (1, 1.0)], &[(0, 1.0), (1, 1.0), (2, 1.0)]] {
        let vector = fold.vector(met.iter().copied());
        let least = loss(&vector, met);
        for (axis, step) in [(0, 1e-3), (0, -1e-3), (1, 1e-3), (1, -1e-3)] {
            let mut moved = vector.clone();
            moved[axis] += step;
            assert!(loss(&moved, met) > least, "{met:?} along {axis}");
        }
    }
    assert_eq!(fold.vector([]), array![0.0, 0.0]);
}

/// By hand: one item of length 1 met once, G = 0.25 · 1, part = 1 + 0.25.
#[test]
fn one_item_by_hand() {
    let fold = Fold::new(array![[1.0]], LOSS);
    let expected = 1.0 / (0.25 + 1.0 + 0.5 * 1.25);
    assert!((fold.vector([(0, 1.0)])[0] - expected).abs() < 1e-12);
}

fn table() -> Factors {
    let items =
        ItemVectors { ids: vec![ItemId(3), ItemId(5)], vectors: array![[0.5, -1.0], [2.0, 0.25]] };
    Factors { items, loss: Loss { unobserved: 0.125, regularisation: 0.5 } }
}

#[test]
fn the_table_reads_back() {
    assert_eq!(Factors::from_bytes(&table().to_bytes()).unwrap(), table());
}

#[test]
fn broken_tables_are_refused() {
    let with = |unobserved| {
        let loss = Loss { unobserved, regularisation: 0.5 };
        Factors::from_bytes(&Factors { loss, ..table() }.to_bytes())
    };
    for unobserved in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(with(unobserved).unwrap_err().to_string().contains("loss"), "{unobserved}");
    }
    let bare = Factors::from_bytes(&table().items.to_bytes()).unwrap_err();
    assert!(bare.to_string().contains("loss"), "{bare}");
    assert!(Factors::from_bytes(&table().to_bytes()[..40]).is_err());
}
