//! What happens after an answer, off the request's path.

pub mod impressions;
pub mod served;
