use crate::Field;

/// What a record holds in a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Missing,
    Number(f64),
    Id(u64),
    Text(&'a str),
    Texts(&'a [String]),
    /// Sequences are oldest first.
    Ids(&'a [u64]),
    Vector(&'a [f32]),
}

impl Value<'_> {
    /// The value's form, for messages.
    pub(crate) fn form(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Number(_) => "a number",
            Self::Id(_) => "an id",
            Self::Text(_) => "a text",
            Self::Texts(_) => "texts",
            Self::Ids(_) => "ids",
            Self::Vector(_) => "a vector",
        }
    }
}

/// Something that can be encoded: a user, an item, or a user with a candidate.
pub trait Record {
    /// The value of a field such as "user.age"; [`Value::Missing`] for fields it does not have.
    fn value(&self, field: &str) -> Value<'_>;

    /// The same by a field that was resolved before; overridden where that is faster.
    fn resolved(&self, field: &Field) -> Value<'_> {
        self.value(field.name())
    }
}
