//! Free text, recall and deletion.

use tributary_domain::{Action, Behaviour, Timestamp, UserId};

use super::*;

fn item(id: u64, title: &str) -> Item {
    Item { title: title.to_owned(), ..Item::bare(ItemId(id)) }
}

fn labelled(id: u64, genres: &[&str], tags: &[&str], year: u16) -> Item {
    let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    Item {
        genres: owned(genres),
        tags: owned(tags),
        year: Some(year),
        ..item(id, &format!("Number {id}"))
    }
}

fn index(items: &[Item]) -> TextIndex {
    let config = TextConfig { year_weight: 0.5, ..TextConfig::default() };
    let index = TextIndex::new(config).unwrap();
    let changes: Vec<ItemChange> = items.iter().cloned().map(ItemChange::Upserted).collect();
    index.apply(&changes).unwrap();
    index.commit().unwrap();
    index
}

fn found(index: &TextIndex, text: &str) -> Vec<u64> {
    index.search(text, 10).unwrap().iter().map(|hit| hit.scored.item.0).collect()
}

fn library() -> TextIndex {
    index(&[
        item(1, "The Matrix"),
        item(2, "The Matrix Reloaded"),
        item(3, "Le Fabuleux Destin d'Amélie Poulain"),
        item(4, "千と千尋の神隠し"),
        item(5, "となりのトトロ"),
        item(6, "霸王别姬"),
        item(7, "臥虎藏龍"),
        item(8, "기생충"),
        Item { text: "a film about reloading".to_owned(), ..item(9, "ＡＬＩＥＮ") },
        Item { tags: vec!["time travel".to_owned()], ..item(10, "Primer") },
    ])
}

#[test]
fn finds_titles_in_many_scripts() {
    let index = library();
    for (text, expected) in [
        ("matrix", vec![1, 2]),
        ("MATRIX reloaded", vec![2, 1]),
        ("amelie", vec![3]),
        ("AMÉLIE", vec![3]),
        ("千尋", vec![4]),
        ("神隠し", vec![4]),
        ("トトロ", vec![5]),
        ("ﾄﾄﾛ", vec![5]),
        ("霸王", vec![6]),
        ("别姬", vec![6]),
        ("龍", vec![7]),
        ("기생충", vec![8]),
        ("alien", vec![9]),
        ("time travel", vec![10]),
        ("王霸", vec![]),
        ("nothing like it", vec![]),
        ("  ", vec![]),
        ("\"(*:", vec![]),
    ] {
        assert_eq!(found(&index, text), expected, "{text}");
    }
    assert_eq!(index.search("千尋", 1).unwrap()[0].title, "千と千尋の神隠し");
}

#[test]
fn ties_go_by_id() {
    let items: Vec<Item> = (1..=9).rev().map(|id| item(id, "same")).collect();
    let found: Vec<u64> = found(&index(&items), "same").into_iter().take(4).collect();
    assert_eq!(found, [1, 2, 3, 4]);
}

#[test]
fn deleted_and_hidden_items_vanish_at_once() {
    let index = library();
    let hidden = Item { hidden: true, ..item(2, "The Matrix Reloaded") };
    index.apply(&[ItemChange::Deleted(ItemId(1)), ItemChange::Upserted(hidden)]).unwrap();
    assert!(found(&index, "matrix").is_empty());
    index.commit().unwrap();
    assert!(found(&index, "matrix").is_empty());
    assert_eq!(index.len(), 8);
    index.restart_items().unwrap();
    assert!(index.is_empty() && found(&index, "トトロ").is_empty());
}

#[test]
fn changed_items_are_found_by_their_new_words_only() {
    let index = library();
    index.apply(&[ItemChange::Upserted(item(1, "Renamed"))]).unwrap();
    index.commit().unwrap();
    assert_eq!(found(&index, "renamed"), [1]);
    assert_eq!(found(&index, "matrix"), [2]);
}

fn context(steps: &[(u64, Action)], seen: &[u64]) -> UserContext {
    let behaviours = (1_i64..).zip(steps).map(|(time, (item, action))| Behaviour {
        item: ItemId(*item),
        action: *action,
        time: Timestamp(time),
        dwell_ms: 0,
    });
    UserContext {
        behaviours: behaviours.collect(),
        seen: seen.iter().copied().map(ItemId).collect(),
        ..UserContext::cold(UserId(1))
    }
}

fn recalled(index: &TextIndex, context: &UserContext) -> Vec<u64> {
    index.recall(context, 10).unwrap().iter().map(|scored| scored.item.0).collect()
}

fn shelf() -> TextIndex {
    index(&[
        labelled(1, &["Horror"], &["zombies"], 1968),
        labelled(2, &["Horror"], &["zombies"], 1978),
        labelled(3, &["Horror"], &[], 1979),
        labelled(4, &["Comedy"], &[], 1968),
        labelled(5, &["Comedy"], &["zombies"], 2004),
        labelled(6, &["Western"], &[], 1992),
    ])
}

#[test]
fn recalls_by_the_labels_of_what_was_liked() {
    let index = shelf();
    let list = recalled(&index, &context(&[(1, Action::Bookmark)], &[1]));
    assert_eq!(list[0], 2);
    assert!(!list.contains(&1) && list.contains(&4));
    assert!(recalled(&index, &context(&[], &[])).is_empty());
    assert!(recalled(&index, &context(&[(99, Action::Share)], &[])).is_empty());
    assert!(recalled(&index, &context(&[(1, Action::Hide)], &[])).is_empty());
}

#[test]
fn recent_and_liked_items_weigh_more() {
    let index = shelf();
    let first = |steps: &[(u64, Action)]| recalled(&index, &context(steps, &[]))[0];
    let (western, comedy) = ((6, Action::View), (4, Action::View));
    let seen = [4, 6];
    let list = |steps: &[(u64, Action)]| recalled(&index, &context(steps, &seen));
    assert!(list(&[western, comedy]).contains(&5));
    assert_eq!(first(&[(6, Action::Bookmark), comedy]), 6);
    assert_eq!(first(&[western, (4, Action::Bookmark)]), 4);
}

#[test]
fn popular_items_come_first_among_equals() {
    let index = index(&[
        labelled(1, &["Horror"], &[], 1970),
        labelled(2, &["Horror"], &[], 1971),
        labelled(3, &["Horror"], &[], 1971),
    ]);
    let horror = context(&[(1, Action::Bookmark)], &[1]);
    assert_eq!(recalled(&index, &horror), [2, 3]);
    let behaviour =
        Behaviour { item: ItemId(3), action: Action::View, time: Timestamp(1), dwell_ms: 0 };
    index.record(&Event { user: UserId(5), behaviour });
    assert_eq!(recalled(&index, &horror), [3, 2]);
    index.restart_events();
    assert_eq!(recalled(&index, &horror), [2, 3]);
}
