//! One small data set, written in every format that can be read.

use std::{fmt::Write, fs, path::Path};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const USERS: u64 = 60;
pub(crate) const ITEMS: u64 = 48;
pub(crate) const START: u64 = 880_000_000;

/// (user, item, rating, seconds): users like one of two halves of the catalogue, and arrive one
/// after another.
pub(crate) fn ratings() -> Vec<(u64, u64, u32, u64)> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut ratings = Vec::new();
    for user in 1..=USERS {
        for item in 1..=ITEMS {
            let mine = item % 2 == user % 2;
            if random.random_bool(if mine { 0.7 } else { 0.15 }) {
                let rating =
                    if mine { random.random_range(3..=5) } else { random.random_range(1..=3) };
                ratings.push((
                    user,
                    item,
                    rating,
                    START + user * 1_000 + random.random_range(0..900),
                ));
            }
        }
    }
    ratings
}

pub(crate) fn title(item: u64) -> String {
    format!("Film Nº {item} for Two")
}

pub(crate) fn year(item: u64) -> u64 {
    1950 + item
}

pub(crate) fn genres(item: u64) -> [&'static str; 2] {
    if item.is_multiple_of(2) { ["Comedy", "Romance"] } else { ["Sci-Fi", "Thriller"] }
}

fn gender(user: u64) -> char {
    if user.is_multiple_of(2) { 'F' } else { 'M' }
}

fn lines<T>(rows: impl IntoIterator<Item = T>, line: impl Fn(T) -> String) -> String {
    rows.into_iter().fold(String::new(), |mut text, row| {
        writeln!(text, "{}", line(row)).unwrap();
        text
    })
}

/// The bytes of a text in Latin-1, as the older data sets are.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

pub(crate) fn write_atomic(folder: &Path) {
    let inter =
        lines(ratings(), |(user, item, rating, time)| format!("{user}\t{item}\t{rating}\t{time}"));
    let header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
    fs::write(folder.join("tiny.inter"), format!("{header}{inter}")).unwrap();
    let items = lines(1..=ITEMS, |item| {
        format!("{item}\t{}\t{}\t{}", title(item), year(item), genres(item).join(" "))
    });
    let header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n";
    fs::write(folder.join("tiny.item"), format!("{header}{items}")).unwrap();
    let users =
        lines(1..=USERS, |user| format!("{user}\t{}\t{}\twriter\t12345", 20 + user, gender(user)));
    let header = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n";
    fs::write(folder.join("tiny.user"), format!("{header}{users}")).unwrap();
}

pub(crate) fn write_original(folder: &Path) {
    let data =
        lines(ratings(), |(user, item, rating, time)| format!("{user}\t{item}\t{rating}\t{time}"));
    fs::write(folder.join("u.data"), data).unwrap();
    // unknown, Action, Adventure, Animation, Children's, Comedy, Crime, Documentary, Drama,
    // Fantasy, Film-Noir, Horror, Musical, Mystery, Romance, Sci-Fi, Thriller, War, Western
    let items = lines(1..=ITEMS, |item| {
        let flags = if item.is_multiple_of(2) {
            "0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0|0|0|0"
        } else {
            "0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1|1|0|0"
        };
        let year = year(item);
        format!("{item}|{} ({year})|01-Jan-{year}||http://x/?{item}|{flags}", title(item))
    });
    fs::write(folder.join("u.item"), latin1(&items)).unwrap();
    let users =
        lines(1..=USERS, |user| format!("{user}|{}|{}|writer|12345", 20 + user, gender(user)));
    fs::write(folder.join("u.user"), users).unwrap();
}

pub(crate) fn write_latest(folder: &Path) {
    let data =
        lines(ratings(), |(user, item, rating, time)| format!("{user},{item},{rating}.0,{time}"));
    fs::write(folder.join("ratings.csv"), format!("userId,movieId,rating,timestamp\n{data}"))
        .unwrap();
    let items = lines(1..=ITEMS, |item| {
        format!("{item},\"{} ({})\",{}", title(item), year(item), genres(item).join("|"))
    });
    fs::write(folder.join("movies.csv"), format!("movieId,title,genres\n{items}")).unwrap();
    let tags = format!("userId,movieId,tag,timestamp\n1,2,Slow Burn,{START}\n");
    fs::write(folder.join("tags.csv"), tags).unwrap();
}

pub(crate) fn write_1m(folder: &Path) {
    let data =
        lines(ratings(), |(user, item, rating, time)| format!("{user}::{item}::{rating}::{time}"));
    fs::write(folder.join("ratings.dat"), data).unwrap();
    let items = lines(1..=ITEMS, |item| {
        format!("{item}::{} ({})::{}", title(item), year(item), genres(item).join("|"))
    });
    fs::write(folder.join("movies.dat"), latin1(&items)).unwrap();
    let users =
        lines(1..=USERS, |user| format!("{user}::{}::{}::20::12345", gender(user), 20 + user));
    fs::write(folder.join("users.dat"), users).unwrap();
}

pub(crate) fn write_csv(folder: &Path) {
    let data = lines(ratings(), |(user, item, rating, time)| {
        let action = if rating >= 4 { "bookmark" } else { "view" };
        format!("{user},{item},{action},{time}")
    });
    fs::write(folder.join("events.csv"), format!("user,item,action,time\n{data}")).unwrap();
    let items = lines(1..=ITEMS, |item| {
        format!("{item},\"{}\",{},{}", title(item), year(item), genres(item).join("|"))
    });
    fs::write(folder.join("items.csv"), format!("item,title,year,genres\n{items}")).unwrap();
    let users = lines(1..=USERS, |user| format!("{user},{},{},writer", 20 + user, gender(user)));
    fs::write(folder.join("users.csv"), format!("user,age,gender,occupation\n{users}")).unwrap();
}
