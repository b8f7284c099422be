use std::fmt;

/// A field of a message that is missing, out of range or malformed. `field` is its path in the
/// message, such as `events[3].item_id`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldError {
    pub field: String,
    pub reason: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }

    /// The same error seen from a message that holds the message in question.
    #[must_use]
    pub fn inside(self, parent: &str) -> Self {
        Self { field: format!("{parent}.{}", self.field), ..self }
    }
}

/// That a value lies between `least` and `most`, both included.
pub fn between<T: PartialOrd + fmt::Debug>(
    field: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), FieldError> {
    match value >= least && value <= most {
        true => Ok(()),
        false => Err(FieldError::new(
            field,
            format_args!("{value:?} is not between {least:?} and {most:?}"),
        )),
    }
}

/// Maps an error of element `index` of the repeated field `parent`.
pub fn at(parent: &'static str, index: usize) -> impl FnOnce(FieldError) -> FieldError {
    move |error| error.inside(&format!("{parent}[{index}]"))
}

/// Maps an error of the message field `parent`.
pub fn prefixed(parent: &'static str) -> impl FnOnce(FieldError) -> FieldError {
    move |error| error.inside(parent)
}
