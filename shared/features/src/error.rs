/// What is wrong with a specification, with the records it is fitted on, or with a stored encoder.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    #[error("the specification cannot be read: {reason}")]
    Specification { reason: String },
    #[error("feature {feature} (field {field}): {reason}")]
    Feature { feature: String, field: String, reason: String },
    #[error("table {table}, used by feature {feature} (field {field}): {reason}")]
    Table { table: String, feature: String, field: String, reason: String },
    #[error("the stored item statistics cannot be read: {reason}")]
    Statistics { reason: String },
    #[error("the stored encoder cannot be read: {reason}")]
    Stored { reason: String },
}
