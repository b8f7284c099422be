use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};
use tributary_domain::FieldError;
use tributary_mesh::status;
use tributary_proto::recall::v1::{
    SearchHit, SearchRequest, SearchResponse, search_service_server::SearchService,
};
use tributary_retrieval::text::Hit;

use crate::channel::Words;

const QUERY_BYTES: usize = 500;
const LIMIT: usize = 500;

/// `SearchService` over the channel's index.
pub(crate) struct FreeText(pub(crate) Arc<Words>);

#[async_trait]
impl SearchService for FreeText {
    async fn search(
        &self,
        request: Request<SearchRequest>,
    ) -> Result<Response<SearchResponse>, Status> {
        let Wanted { query, limit } =
            Wanted::try_from(request.into_inner()).map_err(|error| status(&error))?;
        let hits = self.0.search(query, limit).await.map_err(|error| status(&error))?;
        Ok(Response::new(SearchResponse { hits: hits.into_iter().map(encode).collect() }))
    }
}

#[derive(Debug)]
struct Wanted {
    query: String,
    limit: usize,
}

impl TryFrom<SearchRequest> for Wanted {
    type Error = FieldError;

    fn try_from(request: SearchRequest) -> Result<Self, FieldError> {
        let SearchRequest { query, limit } = request;
        if query.is_empty() || query.len() > QUERY_BYTES {
            let reason = format!("{} bytes, not 1 to {QUERY_BYTES}", query.len());
            return Err(FieldError::new("query", reason));
        }
        let limit = usize::try_from(limit).ok().filter(|limit| (1..=LIMIT).contains(limit));
        let limit =
            limit.ok_or_else(|| FieldError::new("limit", format!("must be 1 to {LIMIT}")))?;
        Ok(Self { query, limit })
    }
}

fn encode(hit: Hit) -> SearchHit {
    SearchHit { item_id: hit.scored.item.0, score: hit.scored.score, title: hit.title }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_out_of_contract_name_the_field() {
        for (query, limit, field) in [
            (String::new(), 1, "query"),
            ("é".repeat(251), 1, "query"),
            ("star".to_owned(), 0, "limit"),
            ("star".to_owned(), 501, "limit"),
        ] {
            let error = Wanted::try_from(SearchRequest { query, limit }).unwrap_err();
            assert_eq!(error.field, field);
        }
        let largest = SearchRequest { query: "é".repeat(250), limit: 500 };
        assert_eq!(Wanted::try_from(largest).unwrap().limit, 500);
    }
}
