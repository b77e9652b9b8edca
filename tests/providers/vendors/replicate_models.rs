//! Replicate with a model of somebody's own by its version, which makes 3D models and takes no seed: its list does not show
//! pictures that were sent inline, so a create whose answer was lost cannot be told from somebody else's.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Response};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::domain::ServiceId;
use satforge::providers::{Provider, SetupError};
use serde_json::{Value, json};
use url::Url;

use super::replicate::Replicate;
use crate::upstream::{Generation, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor, Webhook};

pub struct Models;

const VERSION: &str = "e8f6c45206993f297372f5436b90350817bd9b4a0d52d2a76df50c1c8afa2b3c";

impl Vendor for Models {
    const SERVICE: ServiceId = ServiceId::Model3d;
    const MODEL: &'static str = "firtoz/trellis:e8f6c45206993f297372f5436b90350817bd9b4a0d52d2a76df50c1c8afa2b3c";
    const RESULT: &'static str = "/model_file";
    const AUTHORIZATION: Option<&'static str> = Replicate::AUTHORIZATION;
    const CAN: Can = Can { find: Find::Never(Duration::from_secs(45)), ..Replicate::CAN };

    fn kind(url: &Url) -> ProviderKind {
        Replicate::kind(url)
    }

    fn base(url: &Url) -> Url {
        Replicate::base(url)
    }

    fn input() -> Value {
        json!({"images": ["{image_data_uri}"], "texture_size": 1024, "generate_model": true})
    }

    fn check_input(body: &Value) {
        assert_eq!(body["version"], VERSION);
        let input = &body["input"];
        assert!(input["images"][0].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"), "{body}");
        assert_eq!((&input["texture_size"], &input["generate_model"]), (&json!(1024), &json!(true)));
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Replicate::build(account, clock)
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Replicate::api(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        Replicate::errand(method, path)
    }

    fn webhook(upstream: &Upstream, generation: &Generation) -> Option<Webhook> {
        Replicate::webhook(upstream, generation)
    }

    fn refusal(status: u16) -> Response<Body> {
        Replicate::refusal(status)
    }
}
