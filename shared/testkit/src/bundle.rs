use std::collections::BTreeMap;

use ndarray::{Array2, ArrayD, array};
use tributary_bundle::{Draft, Golden, ManifestParts, Store, Tensor};
use tributary_domain::{Action, Behaviour, BundleId, Item, ItemId, Timestamp, UserContext, UserId};
use tributary_features::{
    Encoder, Record, Specification,
    ranking::{ItemRecord, UserRecord, UserView},
};
use tributary_retrieval::vector::ItemVectors;

const USER_TOWER: &[u8] = include_bytes!("../fixtures/user_tower.onnx");
const MULTI_INTEREST_USER: &[u8] = include_bytes!("../fixtures/multi_interest_user.onnx");
/// Both numbers of the unit vector half-way between the two ways.
pub const DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// A user who bookmarked those items, in that order.
pub fn bookmarks(items: &[u64], version: u64) -> UserContext {
    let bookmark = |(time, item): (i64, &u64)| Behaviour {
        item: ItemId(*item),
        action: Action::Bookmark,
        time: Timestamp(time),
        dwell_ms: 0,
    };
    let mut seen: Vec<ItemId> = items.iter().copied().map(ItemId).collect();
    seen.sort_unstable();
    let behaviours = (1..).zip(items).map(bookmark).collect();
    UserContext { behaviours, seen, version, ..UserContext::cold(UserId(1)) }
}

/// Vectors of six items, three mostly one way, three mostly the other.
pub fn six_vectors() -> Array2<f32> {
    array![[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0], [0.1, 0.9], [0.2, 0.8]]
}

/// The golden file of a tower that gives `answer` as `output` for a user of one item of each way.
pub fn golden(output: &str, answer: ArrayD<f32>) -> Vec<u8> {
    let input = array![[2_i64, 5, 0, 0]].into_dyn();
    let golden = Golden {
        inputs: [("bag.history".to_owned(), Tensor::I64(input))].into(),
        outputs: [(output.to_owned(), Tensor::F32(answer))].into(),
    };
    golden.to_bytes().expect("tensors without flaws")
}

/// A bundle for the channels with vectors: six items, three one way and three the other. The
/// towers know items 1 to 6 and look at the latest four of the history.
#[derive(Debug, Clone, Default)]
pub struct TinyBundle(BTreeMap<String, Vec<u8>>);

impl TinyBundle {
    /// With a user tower that gives the mean direction of the history.
    pub fn two_tower() -> Self {
        let answer = array![[DIAGONAL, DIAGONAL]].into_dyn();
        Self::default()
            .with("features/user_tower.json", history_encoder().to_json())
            .with("models/user_tower.onnx", USER_TOWER)
            .with("golden/user_tower.safetensors", golden("vector", answer))
    }

    /// With a user tower that gives an interest for each way in the history, at most two.
    pub fn multi_interest() -> Self {
        let answer = array![[[1.0, 0.0], [0.0, 1.0]]].into_dyn();
        Self::default()
            .with("features/multi_interest_user.json", history_encoder().to_json())
            .with("models/multi_interest_user.onnx", MULTI_INTEREST_USER)
            .with("golden/multi_interest_user.safetensors", golden("interests", answer))
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn with(mut self, file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(file.to_owned(), bytes.into());
        self
    }

    /// Adds or replaces a table of item vectors, a row an id.
    #[must_use]
    pub fn with_vectors(self, file: &str, ids: [u64; 6], vectors: Array2<f32>) -> Self {
        let table = ItemVectors { ids: ids.map(ItemId).into(), vectors };
        self.with(file, table.to_bytes())
    }

    /// Adds an item tower: items of the genres "a", "b" and "c" lie one way, those of "d", "e" and
    /// "f" the other, and those of several in the mean direction.
    #[must_use]
    pub fn with_item_tower(self, name: &str) -> Self {
        let answer = array![[DIAGONAL, DIAGONAL]].into_dyn();
        // The network of the user tower serves: it adds up rows of one table, whatever they stand for.
        self.with(&format!("features/{name}.json"), genre_encoder().to_json())
            .with(&format!("models/{name}.onnx"), USER_TOWER)
            .with(&format!("golden/{name}.safetensors"), golden("vector", answer))
    }

    /// Adds or replaces the catalogue that the bundle was trained with.
    #[must_use]
    pub fn with_items(self, items: &[Item]) -> Self {
        let line = |item| serde_json::to_string(item).expect("an item is plain data");
        let lines: Vec<String> = items.iter().map(line).collect();
        self.with("items.jsonl", lines.join("\n"))
    }

    /// Leaves a file out.
    #[must_use]
    pub fn without(mut self, file: &str) -> Self {
        let removed = self.0.remove(file);
        assert!(removed.is_some(), "the bundle has no {file}");
        self
    }

    /// The names of its files.
    pub fn files(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Writes it to the store; it is not published.
    pub fn write(&self, store: &Store) -> BundleId {
        let mut draft = Draft::new(store).expect("a store that can be written");
        for (file, bytes) in &self.0 {
            draft.write(file, bytes).expect("a store that can be written");
        }
        draft.finish(ManifestParts::default()).expect("a sound draft")
    }
}

/// An item of one genre.
pub fn of_genre(id: u64, genre: &str) -> Item {
    Item { genres: vec![genre.to_owned()], ..Item::bare(ItemId(id)) }
}

/// Genres "a" to "f" get the rows 2 to 7.
fn genre_encoder() -> Encoder {
    let specification = Specification::from_toml(
        r#"
        [[feature]]
        name = "history"
        field = "item.genres"
        kind = "multi-hot"
        maximum = 6
        length = 4
        table = "genre"
        dimension = 2
        "#,
    );
    let genres = ["a", "b", "c", "d", "e", "f"];
    let items: Vec<Item> = (1..=genres.len())
        .flat_map(|last| genres[..last].iter().map(|genre| of_genre(1, genre)))
        .collect();
    let records: Vec<ItemRecord<'_>> = items.iter().map(ItemRecord).collect();
    let records = records.iter().map(|record| record as &dyn Record);
    Encoder::fit(&specification.expect("a sound specification"), records)
        .expect("features that can be fitted")
}

/// Items 1 to 6 get the rows 2 to 7: vocabularies are ordered by frequency.
fn history_encoder() -> Encoder {
    let specification = Specification::from_toml(
        r#"
        [[feature]]
        name = "history"
        field = "history.items"
        kind = "item-sequence"
        length = 4
        table = "item"
        dimension = 2
        "#,
    );
    let histories = (1..=6_u64).map(|last| (1..=last).collect::<Vec<u64>>());
    let views: Vec<UserView> =
        histories.map(|items| UserView::new(&bookmarks(&items, 1), &|_| None)).collect();
    let records: Vec<UserRecord<'_>> = views.iter().map(UserRecord).collect();
    let records = records.iter().map(|record| record as &dyn Record);
    Encoder::fit(&specification.expect("a sound specification"), records)
        .expect("features that can be fitted")
}
