//! The vocabulary of the business: money, payments, requests, jobs and refunds.
//!
//! Architecture invariant: nothing in here does I/O, is async, reads a clock or a random source, or imports another
//! part of satforge. Every type is made through a constructor that refuses what the type does not mean.

pub mod callback;
pub mod caller;
pub mod id;
pub mod job;
pub mod money;
pub mod network;
pub mod payment;
pub mod refund;
pub mod request;
pub mod standard_webhooks;
pub mod template;

pub use callback::Callback;
pub use caller::Caller;
pub use id::{JobId, PublicJobId};
pub use job::{Failure, JobState};
pub use money::{Msat, PriceFactor};
pub use network::Network;
pub use payment::{Invoice, PaymentHash, Preimage};
pub use refund::{Claim, ClaimedInvoice, Refund, RefundState, Repaid};
pub use request::{JobSpec, RequestBinding, ServiceId};
pub use standard_webhooks::WebhookSecret;
pub use template::InputTemplate;
