//! Requests whose answers are handed on while they come, for a library that brings its own notion of both.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;

use super::{Client, EgressError, Reach, Trust, TrustError, builder, finish};

/// The body of an answer that is still coming.
pub type TransferBody = MapErr<reqwest::Body, fn(reqwest::Error) -> EgressError>;

impl Client {
    /// A client for a server that the operator has named, for answers of any size that come piece by piece: no pause
    /// within one is longer than `idle`, and the caller limits the rest. Without TLS, as [`Client::to_near`].
    pub fn for_transfers(https: bool, idle: Duration) -> Result<Self, TrustError> {
        let reach = if https { Reach::Own } else { Reach::Near };
        let inner = finish(builder(Trust::System, reach)?.read_timeout(idle))?;
        Ok(Self { inner, reach })
    }

    /// Sends a request as it is and hands on the answer while it comes.
    pub async fn transfer<B>(&self, request: http::Request<B>) -> Result<http::Response<TransferBody>, EgressError>
    where
        B: http_body::Body + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string().parse().map_err(|_| EgressError::Forbidden("it is no URL"))?;
        let request = self.request(head.method, url)?.headers(head.headers).body(reqwest::Body::wrap(body));
        let answer: http::Response<reqwest::Body> = request.send().await?.into();
        let in_answer: fn(reqwest::Error) -> EgressError = EgressError::in_answer;
        Ok(answer.map(|body| body.map_err(in_answer)))
    }
}
