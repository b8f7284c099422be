use super::*;

fn metrics(rows: &[(&str, f64)]) -> Metrics {
    rows.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// A good run whose AUC, PCOC and loss are moved by `noise`.
fn run(noise: f64) -> Metrics {
    metrics(&[
        ("final.ndcg_at_10", 0.3),
        ("popularity.ndcg_at_10", 0.2),
        ("ranker.liked.auc", 0.75 + noise),
        ("ranker.liked.popularity_auc", 0.65),
        ("ranker.liked.pcoc", 1.0 + noise),
        ("ranker.liked.log_loss", 0.2 + noise),
        ("ranker.liked.positives", 900.0),
    ])
}

fn with(mut metrics: Metrics, name: &str, value: f64) -> Metrics {
    metrics.insert(name.to_owned(), value);
    metrics
}

fn without(mut metrics: Metrics, name: &str) -> Metrics {
    metrics.remove(name);
    metrics
}

fn reasons(candidate: &Metrics, history: &[Metrics], config: &GateConfig) -> Vec<String> {
    let history: Vec<&Metrics> = history.iter().collect();
    judge(candidate, &history, config).reasons
}

/// Each candidate breaks the rules of the metrics that are named, and no others.
#[test]
fn a_first_run_has_to_keep_to_the_fixed_bounds() {
    let rows: [(Metrics, &[&str]); 13] = [
        (run(0.0), &[]),
        (with(run(0.0), "ranker.liked.auc", 0.5), &["ranker.liked.auc", "ranker.liked.auc"]),
        (with(run(0.0), "ranker.liked.auc", 0.64), &["ranker.liked.auc is 0.6400, below 0.6700"]),
        (with(run(0.0), "ranker.liked.pcoc", 1.2), &["ranker.liked.pcoc"]),
        (with(run(0.0), "ranker.liked.pcoc", 0.8), &["ranker.liked.pcoc"]),
        (with(run(0.0), "final.ndcg_at_10", 0.19), &["final.ndcg_at_10"]),
        (with(run(0.0), "final.ndcg_at_10", 0.2), &[]),
        (with(run(0.0), "ranker.liked.log_loss", f64::NAN), &["ranker.liked.log_loss"]),
        (with(run(0.0), "ranker.liked.pcoc", f64::INFINITY), &["ranker.liked.pcoc"]),
        (without(run(0.0), "ranker.liked.auc"), &["ranker.liked.auc"]),
        (without(run(0.0), "popularity.ndcg_at_10"), &["popularity.ndcg_at_10"]),
        (
            with(run(0.0), "ranker.watched.auc", 0.7),
            &["ranker.watched.popularity", "ranker.watched.pcoc", "ranker.watched.log"],
        ),
        (Metrics::new(), &["final.ndcg_at_10", "popularity.ndcg_at_10", "ranker"]),
    ];
    for (candidate, expected) in rows {
        let found = reasons(&candidate, &[], &GateConfig::default());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not about {expected}");
        }
    }
}

#[test]
fn a_task_of_which_nothing_came_about_is_not_judged() {
    let nothing =
        metrics(&[("ranker.bookmarked.positives", 0.0), ("ranker.bookmarked.log_loss", 0.1)]);
    let both = run(0.0).into_iter().chain(nothing.clone()).collect();
    assert_eq!(reasons(&both, &[], &GateConfig::default()), Vec::<String>::new());
    let alone = with(with(nothing, "final.ndcg_at_10", 0.3), "popularity.ndcg_at_10", 0.2);
    let found = reasons(&alone, &[], &GateConfig::default());
    assert!(found.len() == 1 && found[0].starts_with("ranker: no task"), "{found:?}");
}

/// Ten runs with a sample deviation of AUC and PCOC of 0.01, by numpy:
/// `np.std([-.01, .01] * 5, ddof=1)` is 0.010540925533894598.
fn history() -> Vec<Metrics> {
    (0..10).map(|index| run(if index % 2 == 0 { -0.01 } else { 0.01 })).collect()
}

fn strict() -> GateConfig {
    let recent = RecentConfig { least_sigma: 0.0, ..RecentConfig::default() };
    GateConfig { recent, ..GateConfig::default() }
}

#[test]
fn a_run_has_to_look_like_the_runs_before_on_both_sides() {
    let three_sigma = 3.0 * 0.010_540_925_533_894_598;
    for (auc, blocked) in [
        (0.75, false),
        (0.75 + three_sigma - 1e-6, false),
        (0.75 + three_sigma + 1e-6, true),
        (0.75 - three_sigma + 1e-6, false),
        (0.75 - three_sigma - 1e-6, true),
    ] {
        let candidate = with(run(0.0), "ranker.liked.auc", auc);
        let found = reasons(&candidate, &history(), &strict());
        assert_eq!(!found.is_empty(), blocked, "{auc}: {found:?}");
        assert!(found.iter().all(|one| one.contains("σ of the last 10 runs")), "{found:?}");
    }
    let one_sided = GateConfig {
        recent: RecentConfig { sigmas_above: 1e9, ..strict().recent },
        ..GateConfig::default()
    };
    let better = with(run(0.0), "ranker.liked.auc", 0.9);
    assert_eq!(reasons(&better, &history(), &one_sided), Vec::<String>::new());
}

#[test]
fn a_loss_has_to_stay_between_the_quantile_rule_and_the_worst() {
    // Losses .21 … .30: the tenth part lies below .219, the largest is .30.
    let history: Vec<Metrics> = (1..=10).map(|step| run(f64::from(step) / 100.0)).collect();
    let wide = RecentConfig { sigmas_below: 1e9, sigmas_above: 1e9, ..RecentConfig::default() };
    let exact = LossConfig { quantile_factor: 1.0, ..LossConfig::default() };
    let config = GateConfig { recent: wide, loss: exact, ..GateConfig::default() };
    for (loss, blocked) in [(0.2191, false), (0.2189, true), (0.3299, false), (0.3301, true)] {
        let candidate = with(run(0.05), "ranker.liked.log_loss", loss);
        let found = reasons(&candidate, &history, &config);
        assert_eq!(!found.is_empty(), blocked, "{loss}: {found:?}");
        assert!(found.iter().all(|one| one.starts_with("ranker.liked.log_loss")), "{found:?}");
    }
    let eased = GateConfig { loss: LossConfig::default(), ..config };
    let candidate = with(run(0.05), "ranker.liked.log_loss", 0.209);
    assert_eq!(reasons(&candidate, &history, &eased), Vec::<String>::new(), "95 % of .219 is .208");
}

#[test]
fn the_windows_hold_the_latest_runs_and_count_only_when_full_enough() {
    let leap = with(run(0.0), "ranker.liked.auc", 0.95);
    let few = &history()[..4];
    assert_eq!(reasons(&leap, few, &strict()), Vec::<String>::new(), "four are no history");
    // Forty bad old runs are forgotten behind fourteen like the candidate.
    let old = (0..40).map(|_| with(run(0.0), "ranker.liked.auc", 0.6));
    let new = (0..14).map(|_| run(0.0));
    let both: Vec<Metrics> = old.chain(new).collect();
    assert_eq!(reasons(&run(0.0), &both, &strict()), Vec::<String>::new());
    let found = reasons(&run(0.0), &both[..53], &strict());
    assert_eq!(found, Vec::<String>::new(), "one old run widens σ");
    let found = reasons(&run(0.0), &both[..41], &strict());
    assert!(found.iter().any(|one| one.starts_with("ranker.liked.auc")), "{found:?}");
}

#[test]
fn runs_that_hardly_differ_do_not_block_the_next_for_noise() {
    let history: Vec<Metrics> = (0..20).map(|_| run(0.0)).collect();
    assert_eq!(reasons(&run(1e-12), &history, &GateConfig::default()), Vec::<String>::new());
    assert_eq!(reasons(&run(0.01), &history, &GateConfig::default()), Vec::<String>::new());
    assert!(!reasons(&run(1e-6), &history, &strict()).is_empty());
}

#[test]
fn a_settled_history_sees_a_calibration_that_the_fixed_bounds_let_through() {
    let low = |value| with(run(0.0), "ranker.liked.pcoc", value);
    let history: Vec<Metrics> = (0..6).map(|_| low(0.93)).collect();
    let scaled = low(0.93 * 1.2);
    assert_eq!(reasons(&scaled, &[], &GateConfig::default()), Vec::<String>::new());
    let found = reasons(&scaled, &history, &GateConfig::default());
    assert!(found.len() == 1 && found[0].starts_with("ranker.liked.pcoc"), "{found:?}");
}
