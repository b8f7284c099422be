use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body_util::{BodyExt, Full};
use tonic::{Status, body::Body};

/// A request that can be sent more than once.
pub(super) struct Replay {
    head: Parts,
    body: Bytes,
}

impl Replay {
    pub(super) async fn buffer(request: Request<Body>) -> Result<Self, Status> {
        let (head, body) = request.into_parts();
        Ok(Self { head, body: body.collect().await?.to_bytes() })
    }

    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.head.headers
    }

    pub(super) fn copy(&self) -> Request<Body> {
        let body = Body::new(Full::new(self.body.clone()));
        Request::from_parts(self.head.clone(), body)
    }
}
