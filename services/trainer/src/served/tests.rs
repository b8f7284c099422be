use tributary_domain::Action;

use super::*;

fn deed(item: u64, action: Action, time: i64) -> Behaviour {
    Behaviour { item: ItemId(item), action, time: Timestamp(time), dwell_ms: 0 }
}

fn list(request: &str, time: i64, items: &[u64]) -> ServedList {
    let items = items.iter().zip(1..).map(|(item, position)| ServedItem {
        item: ItemId(*item),
        position,
        channels: vec![
            ServedChannel { channel: "trending".into(), position: 7, score: 0.5 },
            ServedChannel { channel: "of another mesh".into(), position: 1, score: 2.0 },
            ServedChannel { channel: "two-tower".into(), position: position + 2, score: 0.25 },
        ],
    });
    ServedList {
        request: request.into(),
        user: UserId(1),
        time: Timestamp(time),
        items: items.collect(),
        late: Vec::new(),
        early: Vec::new(),
    }
}

fn data(deeds: &[Behaviour], served: Vec<ServedList>) -> DataSet {
    let events = deeds.iter().map(|behaviour| Event { user: UserId(1), behaviour: *behaviour });
    DataSet { events: events.collect(), served, ..DataSet::default() }
}

fn asked(data: &DataSet, before: i64) -> Vec<Answer> {
    let horizon = Duration::from_millis(50);
    let config = ServedConfig { minimum: 1, maximum: 10, horizon };
    answers(data, Timestamp(before), 200, &config)
}

/// The known items and the targets of an answer.
type Summary = (Vec<u64>, Vec<(u64, bool)>);

fn summary(answers: &[Answer]) -> Vec<Summary> {
    let summary = answers.iter().map(|Answer { case, .. }| {
        let known = case.context.behaviours.iter().map(|behaviour| behaviour.item.0).collect();
        let targets = case.targets.iter().map(|target| (target.item.0, target.liked)).collect();
        (known, targets)
    });
    summary.collect()
}

#[test]
fn an_engagement_is_the_effect_of_the_last_answer_that_showed_the_item() {
    let deeds = [
        deed(9, Action::View, 5),
        deed(2, Action::Click, 15),
        deed(3, Action::Click, 35),
        deed(3, Action::Bookmark, 36),
        deed(4, Action::Hide, 37),
        deed(5, Action::Click, 95),
    ];
    let served = vec![list("a", 10, &[1, 2, 3]), list("b", 30, &[3, 4, 5])];
    let answers = asked(&data(&deeds, served), 1_000);
    assert_eq!(
        summary(&answers),
        [(vec![9], vec![(2, false)]), (vec![9, 2], vec![(3, true)])],
        "hiding is no engagement, and 95 is too long after 30"
    );
    let shown = &answers[0].shown[0];
    let findings = shown.findings.iter().map(|one| (CHANNELS[one.channel], one.position));
    assert_eq!(findings.collect::<Vec<_>>(), [("two-tower", 3), ("trending", 7)]);
}

#[test]
fn nothing_of_the_test_period_is_used() {
    let deeds = [deed(9, Action::View, 5), deed(1, Action::Click, 25), deed(2, Action::Click, 40)];
    let mut first = list("a", 20, &[1, 2]);
    first.early = vec![deed(2, Action::Click, 40)];
    let answers = asked(&data(&deeds, vec![first, list("b", 40, &[2])]), 40);
    assert_eq!(summary(&answers), [(vec![9], vec![(1, false)])]);
}

#[test]
fn a_context_is_what_was_recorded_when_the_answer_was_made() {
    let deeds = [deed(8, Action::View, 4), deed(9, Action::View, 5), deed(7, Action::View, 21)];
    let mut answer = list("a", 20, &[1]);
    answer.late = vec![deed(8, Action::View, 4)];
    answer.early = vec![deed(7, Action::View, 21)];
    assert_eq!(summary(&asked(&data(&deeds, vec![answer]), 1_000)), [(vec![9, 7], vec![])]);
}

#[test]
fn too_few_answers_are_none_and_of_too_many_the_latest_count() {
    let served: Vec<ServedList> = (1..=5).map(|time| list(&time.to_string(), time, &[1])).collect();
    let data = data(&[], served);
    let times = |minimum, maximum| -> Vec<i64> {
        let config = ServedConfig { minimum, maximum, ..ServedConfig::default() };
        let answers = answers(&data, Timestamp(100), 200, &config);
        answers.iter().map(|answer| answer.case.as_of.0).collect()
    };
    assert_eq!(times(6, 10), [] as [i64; 0]);
    assert_eq!(times(5, 2), [4, 5]);
}
