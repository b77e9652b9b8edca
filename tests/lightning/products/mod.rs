//! One product a file: its API as its documentation and source describe it.

pub mod blink;
pub mod cln;
pub mod lightning_address;
pub mod lnbits;
pub mod lnd;
pub mod nwc;
pub mod opennode;
pub mod phoenixd;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::Value;

/// A JSON answer.
pub fn json(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

/// A plain answer.
pub fn text(status: u16, body: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
