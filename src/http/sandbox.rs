//! `POST /sandbox/pay` and `POST /sandbox/invoice`: the sandbox's wallet. It exists only where Lightning is simulated.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::catalog::Problem as BodyProblem;
use crate::domain::Msat;
use crate::lightning::sandbox::SandboxPayError;
use crate::lightning::{InvoiceRequest, LightningBackend as _};

use super::answer::json_response;
use super::body::Sender;
use super::error::ErrorCode;
use super::gateway::Gateway;
use super::generate::body_problem;
use super::problem::Problem;

/// An invoice and a little JSON around it.
const BODY_LIMIT: usize = 16 * 1024;

/// What the wallet's own invoices say, and how long they can be paid.
const DESCRIPTION: &str = "To the sandbox's wallet";
const EXPIRY: Duration = Duration::from_mins(10);

/// Pays an invoice of this sandbox.
pub async fn pay(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let Some(sandbox) = gateway.sandbox.clone() else { return gateway.refuse(&Problem::new(ErrorCode::NotFound)) };
    let (parts, body) = request.into_parts();
    let paid = async {
        gateway.require_locality(&parts)?;
        let body = gateway.bodies.read(body, BODY_LIMIT, Sender::Unpaid).await;
        let body = body.map_err(|refusal| body_problem(refusal, BODY_LIMIT))?;
        let invoice = invoice(&body.bytes)?;
        sandbox.pay(&invoice).map_err(|error| match error {
            SandboxPayError::Unknown => Problem::new(ErrorCode::InvoiceUnknown),
            SandboxPayError::Expired => Problem::new(ErrorCode::InvoiceExpired),
        })
    };
    match paid.await {
        Ok(payment) => {
            let document =
                json!({"preimage": payment.preimage.reveal_hex(), "payment_hash": payment.payment_hash.to_hex()});
            json_response(StatusCode::OK, &document)
        }
        Err(problem) => gateway.refuse(&problem),
    }
}

/// Makes an invoice, as a wallet does for somebody who is to be paid: to try refunds with.
pub async fn make_invoice(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let Some(sandbox) = gateway.sandbox.clone() else { return gateway.refuse(&Problem::new(ErrorCode::NotFound)) };
    let (parts, body) = request.into_parts();
    let made = async {
        gateway.require_locality(&parts)?;
        let body = gateway.bodies.read(body, BODY_LIMIT, Sender::Unpaid).await;
        let body = body.map_err(|refusal| body_problem(refusal, BODY_LIMIT))?;
        let request = InvoiceRequest { amount: amount(&body.bytes)?, description: DESCRIPTION.into(), expiry: EXPIRY };
        sandbox.create_invoice(request).await.map_err(|error| Problem::new(ErrorCode::Internal).cause(&error))
    };
    match made.await {
        Ok(invoice) => {
            let document = json!({"invoice": invoice.bolt11, "payment_hash": invoice.payment_hash.to_hex()});
            json_response(StatusCode::OK, &document)
        }
        Err(problem) => gateway.refuse(&problem),
    }
}

fn amount(body: &[u8]) -> Result<Msat, Problem> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(ErrorCode::MalformedJson).detail(error.to_string()))?;
    let sats = document.get("amount_sats").and_then(Value::as_u64).filter(|sats| *sats > 0);
    sats.and_then(|sats| Msat::from_sat(sats).ok()).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidParams).errors(vec![BodyProblem {
            pointer: "/amount_sats".into(),
            detail: "must be a whole number of sats above zero".into(),
        }])
    })
}

fn invoice(body: &[u8]) -> Result<String, Problem> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(ErrorCode::MalformedJson).detail(error.to_string()))?;
    match document.get("invoice") {
        Some(Value::String(invoice)) => Ok(invoice.clone()),
        _ => Err(Problem::new(ErrorCode::InvalidParams).errors(vec![BodyProblem {
            pointer: "/invoice".into(),
            detail: "must be the invoice of a 402 response, as a string".into(),
        }])),
    }
}
