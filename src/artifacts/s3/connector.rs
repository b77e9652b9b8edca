//! The bridge from `object_store` to our own HTTP client, with its limits, its roots and its guard against `http` that
//! leaves the private network.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use url::Url;

use crate::artifacts::ArtifactError;
use crate::egress::{Client, EgressError};

/// The time from the first byte that is sent to the head of the answer, of which a part of an upload needs the most; and
/// the longest pause within an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands out the one client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    client: Client,
}

impl Connector {
    /// A connector for `endpoint`, which may be in a private network, and must be there without TLS.
    pub(super) fn new(endpoint: &Url) -> Result<Self, ArtifactError> {
        let client = Client::for_transfers(endpoint.scheme() == "https", PATIENCE);
        Ok(Self { client: client.map_err(|error| ArtifactError::Storage(error.to_string()))? })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(PATIENCE, self.client.transfer(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(EgressError::Interrupted("it took too long".into())));
        let (head, body) = answer.map_err(failed)?.into_parts();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body.map_err(failed))))
    }
}

fn failed(error: EgressError) -> HttpError {
    let kind = match error {
        EgressError::Unreachable(_) => HttpErrorKind::Connect,
        // Sent again only where a second time changes nothing.
        EgressError::Interrupted(_) => HttpErrorKind::Interrupted,
        EgressError::Forbidden(_) | EgressError::Untrusted(_) | EgressError::TooLarge(_) => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
