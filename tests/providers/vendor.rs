//! What the contract has to know of a vendor.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::domain::ServiceId;
use satforge::providers::{Provider, SetupError};
use serde_json::Value;
use url::Url;

use crate::upstream::{Generation, Upstream};

/// Stands in every secret of every account, and nowhere else.
pub const SECRET: &str = "c0ffee";

/// How a vendor answers, and what it can do.
pub trait Vendor: Sized + Send + Sync + 'static {
    /// What it makes in these tests.
    const SERVICE: ServiceId = ServiceId::Video;
    /// The route's model.
    const MODEL: &'static str;
    /// The route's `result`.
    const RESULT: &'static str;
    /// The `authorization` of every request to its API; `None`: there is none.
    const AUTHORIZATION: Option<&'static str>;
    const CAN: Can;

    /// The account, with its API at `url`. Every secret contains [`SECRET`].
    fn kind(url: &Url) -> ProviderKind;

    /// Where the operator says that its API is, when the stub is at `url`.
    fn base(url: &Url) -> Url {
        url.clone()
    }

    /// The route's input template. It uses `{seed}`, where the vendor's models take one.
    fn input() -> Value;

    /// Fails unless the body of a create is what the template makes of the order in these tests.
    fn check_input(body: &Value);

    /// The adapter.
    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError>;

    /// The adapter, where it keeps something in a folder of its own.
    fn build_in(
        account: &ProviderConfig,
        clock: Arc<dyn Clock>,
        _folder: &Path,
    ) -> Result<Arc<dyn Provider>, SetupError> {
        Self::build(account, clock)
    }

    /// Its API over `upstream`, as it is when all is well.
    fn api(upstream: Arc<Upstream>) -> Router;

    /// What a request is for.
    fn errand(method: &Method, path: &str) -> Errand;

    /// The same, where method and path do not tell.
    fn errand_of(request: &Request, _upstream: &Upstream) -> Errand {
        Self::errand(request.method(), request.uri().path())
    }

    /// The webhook that it sends about a generation, which it was told where to send with the create. `None`: it sends
    /// none.
    fn webhook(_upstream: &Upstream, _generation: &Generation) -> Option<Webhook> {
        None
    }

    /// How it says no with this status, for a reason that has nothing to do with what it was asked.
    fn refusal(status: u16) -> Response<Body>;
}

/// A webhook as a vendor sends it.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errand {
    /// May start a generation.
    Create,
    /// Prepares a create, and starts nothing.
    Prepare,
    /// How far a generation is, and what came of it.
    Poll,
    Cancel,
    Discard,
    /// What was started lately.
    List,
    /// Whether the account and the model are good.
    Probe,
    /// The keys that it signs with, which are public.
    Keys,
    /// The result itself.
    File,
}

/// What a vendor can do.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of one another")]
#[derive(Clone, Copy, Debug)]
pub struct Can {
    /// Stop a generation that is under way.
    pub cancel: bool,
    /// Forget a generation that has ended.
    pub discard: bool,
    /// Tell how far a generation is.
    pub tell_progress: bool,
    /// Tell how many come first.
    pub tell_position: bool,
    /// Name the result by a URL, which may then lead elsewhere.
    pub name_results: bool,
    /// Find a create whose answer did not come.
    pub find: Find,
}

/// How well a create whose answer did not come can be found.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// Surely; that it did not arrive is known this long after it was sent.
    Exactly(Duration),
    /// Those that look like it, as long after it was sent.
    Alike(Duration),
    /// Not at all; that is said this long after it was sent.
    Never(Duration),
}

impl Find {
    /// How long after a create everything is known that ever will be.
    pub const fn settles_after(self) -> Duration {
        match self {
            Self::Exactly(after) | Self::Alike(after) | Self::Never(after) => after,
        }
    }
}
