use std::{ops::Deref, sync::Arc};

use tributary_domain::Event;

/// Events in order of time: a part of the data set's, or a selection that rounds share.
#[derive(Debug, Clone)]
pub(crate) enum Events<'a> {
    Part(&'a [Event]),
    Selected(Arc<[Event]>),
}

impl Deref for Events<'_> {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        match self {
            Self::Part(events) => events,
            Self::Selected(events) => events,
        }
    }
}
