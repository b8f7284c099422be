use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::FieldError;

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Accepts an id from outside; zero is refused, naming `field`.
            pub fn from_wire(value: u64, field: &str) -> Result<Self, FieldError> {
                match value {
                    0 => Err(FieldError::new(field, "must not be zero")),
                    id => Ok(Self(id)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

numeric_id!(
    /// An item of the catalogue. Zero is never a valid id.
    ItemId
);
numeric_id!(
    /// A user. Zero is never a valid id.
    UserId
);

impl ItemId {
    /// Accepts a column of ids from outside; a zero is refused, naming its place in `field`. The
    /// path is made for a bad id only: requests carry hundreds of good ones.
    pub fn all_from_wire(ids: &[u64], field: &str) -> Result<Vec<Self>, FieldError> {
        match ids.iter().position(|id| *id == 0) {
            Some(index) => Err(FieldError::new(format!("{field}[{index}]"), "must not be zero")),
            None => Ok(ids.iter().copied().map(Self).collect()),
        }
    }

    /// Accepts candidates from outside: 1 to `most` ids, none zero, none twice.
    pub fn distinct_from_wire(
        ids: &[u64],
        most: usize,
        field: &str,
    ) -> Result<Vec<Self>, FieldError> {
        if !(1..=most).contains(&ids.len()) {
            let reason = format_args!("{} ids are not between 1 and {most}", ids.len());
            return Err(FieldError::new(field, reason));
        }
        let items = Self::all_from_wire(ids, field)?;
        let mut sorted = items.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(FieldError::new(field, format_args!("{} is in it twice", pair[0]))),
            None => Ok(items),
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(
    /// Names a bundle: its folder's name.
    BundleId
);
name!(
    /// Names a recall channel as configured, for example "two-tower".
    ChannelName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_bounded_distinct_and_not_zero() {
        for (ids, refused) in [
            (&[3, 1, 2][..], None),
            (&[], Some("item_ids: 0 ids are not between 1 and 3")),
            (&[1, 2, 3, 4], Some("item_ids: 4 ids are not between 1 and 3")),
            (&[1, 0], Some("item_ids[1]: must not be zero")),
            (&[7, 1, 7], Some("item_ids: 7 is in it twice")),
        ] {
            let got = ItemId::distinct_from_wire(ids, 3, "item_ids");
            assert_eq!(got.err().map(|error| error.to_string()).as_deref(), refused, "{ids:?}");
        }
    }
}
