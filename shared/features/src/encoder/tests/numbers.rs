use super::*;

#[test]
fn numbers_are_standardised_by_training() {
    let training = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].map(Owned::Number);
    // The textbook example: mean 5, deviation 2.
    let encoder = fit("kind = \"standard-number\"", training.to_vec());
    check_dense(
        &encoder,
        vec![
            (Owned::Number(9.0), &[2.0]),
            (Owned::Number(5.0), &[0.0]),
            (Owned::Number(1e9), &[8.0]),
            (Owned::Number(f64::NEG_INFINITY), &[-8.0]),
            (Owned::Number(f64::NAN), &[0.0]),
            (Owned::Missing, &[0.0]),
        ],
    );
    let e = std::f64::consts::E;
    let encoder =
        fit("kind = \"log-number\"", vec![Owned::Number(0.0), Owned::Number(e * e - 1.0)]);
    check_dense(
        &encoder,
        vec![
            (Owned::Number(0.0), &[-1.0]),
            (Owned::Number(e - 1.0), &[0.0]),
            (Owned::Number(e.powi(3) - 1.0), &[2.0]),
            (Owned::Number(-5.0), &[-1.0]),
        ],
    );
    let bounded =
        fit("kind = \"bounded-log-number\"", vec![Owned::Number(0.0), Owned::Number(e * e - 1.0)]);
    check_dense(
        &bounded,
        vec![
            (Owned::Number(0.0), &[-1.0]),
            (Owned::Number(e - 1.0), &[0.0]),
            (Owned::Number(e.powi(3) - 1.0), &[1.0]),
            (Owned::Number(f64::INFINITY), &[1.0]),
            (Owned::Number(-5.0), &[-1.0]),
            (Owned::Number(f64::NAN), &[0.0]),
            (Owned::Missing, &[0.0]),
        ],
    );
    let never = fit("kind = \"bounded-log-number\"", vec![Owned::Missing]);
    check_dense(&never, vec![(Owned::Missing, &[0.0]), (Owned::Number(7.0), &[0.0])]);
    let constant = fit("kind = \"standard-number\"", vec![Owned::Number(3.0); 4]);
    check_dense(&constant, vec![(Owned::Number(3.0), &[0.0]), (Owned::Number(4.0), &[1.0])]);
}
