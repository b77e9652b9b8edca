//! Blink's queries and their JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Msat, Preimage};
use crate::lightning::{InvoiceState, Receipt, decode_invoice};

pub(super) const ACCOUNT: &str = "query {
  authorization { scopes } globals { network } me { defaultAccount { wallets { id walletCurrency } } } }";

pub(super) const CREATE: &str = "mutation($input: LnInvoiceCreateInput!) {
  lnInvoiceCreate(input: $input) { invoice { paymentRequest paymentHash } errors { code message } } }";

pub(super) const LOOKUP: &str = "query($wallet: WalletId!, $hash: PaymentHash!) {
  me { defaultAccount { walletById(walletId: $wallet) {
    invoiceByPaymentHash(paymentHash: $hash) { paymentStatus paymentRequest }
    transactionsByPaymentHash(paymentHash: $hash) {
      status direction settlementAmount settlementFee settlementCurrency createdAt } } } } }";

pub(super) const LOOKUP_OUTGOING: &str = "query($wallet: WalletId!, $hash: PaymentHash!) {
  me { defaultAccount { walletById(walletId: $wallet) {
    transactionsByPaymentHash(paymentHash: $hash) {
      status direction settlementAmount settlementFee settlementCurrency createdAt
      settlementVia { ... on SettlementViaLn { preImage } ... on SettlementViaIntraLedger { preImage } } } } } } }";

pub(super) const PROBE: &str = "mutation($input: LnInvoiceFeeProbeInput!) {
  lnInvoiceFeeProbe(input: $input) { amount errors { code message } } }";

pub(super) const SEND: &str = "mutation($input: LnInvoicePaymentInput!) {
  lnInvoicePaymentSend(input: $input) { status errors { code message } transaction {
    status direction settlementAmount settlementFee settlementCurrency createdAt
    settlementVia { ... on SettlementViaLn { preImage } ... on SettlementViaIntraLedger { preImage } } } } }";

/// Seconds after its expiry in which an invoice is not given up: a payment that was accepted before is booked later.
const GRACE: u64 = 300;

#[derive(Serialize)]
pub(super) struct Request<V> {
    pub query: &'static str,
    pub variables: V,
}

/// Every answer with the status 200.
#[derive(Deserialize)]
pub(super) struct Reply {
    pub data: Option<Value>,
    #[serde(default)]
    pub errors: Vec<Complaint>,
}

/// An error, beside `data` or in a mutation's payload.
#[derive(Deserialize)]
pub(super) struct Complaint {
    #[serde(default)]
    pub message: String,
    code: Option<String>,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct Extensions {
    code: Option<String>,
}

/// What stands in front of the API answers.
#[derive(Deserialize)]
pub(super) struct HttpError {
    pub error: HttpErrorBody,
}

#[derive(Deserialize)]
pub(super) struct HttpErrorBody {
    #[serde(default)]
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me<A> {
    pub default_account: A,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateData {
    pub ln_invoice_create: CreatePayload,
}

#[derive(Deserialize)]
pub(super) struct CreatePayload {
    pub invoice: Option<MadeInvoice>,
    pub errors: Vec<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeInvoice {
    pub payment_request: String,
    pub payment_hash: String,
}

#[derive(Deserialize)]
pub(super) struct InvoiceLookup {
    pub me: Me<WalletById<WalletInvoice>>,
}

#[derive(Deserialize)]
pub(super) struct TransactionLookup {
    pub me: Me<WalletById<WalletTransactions>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletById<W> {
    pub wallet_by_id: W,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletInvoice {
    invoice_by_payment_hash: FoundInvoice,
    transactions_by_payment_hash: Vec<Transaction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundInvoice {
    payment_status: String,
    payment_request: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletTransactions {
    pub transactions_by_payment_hash: Vec<Transaction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub status: String,
    pub direction: String,
    /// Sats of a BTC wallet, cents of a USD wallet.
    settlement_amount: i64,
    settlement_fee: i64,
    settlement_currency: String,
    /// Unix seconds.
    created_at: u64,
    settlement_via: Option<SettlementVia>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SettlementVia {
    pre_image: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeeData {
    pub ln_invoice_fee_probe: FeePayload,
}

#[derive(Deserialize)]
pub(super) struct FeePayload {
    /// Sats.
    pub amount: Option<u64>,
    pub errors: Vec<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendData {
    pub ln_invoice_payment_send: SendPayload,
}

#[derive(Deserialize)]
pub(super) struct SendPayload {
    pub status: Option<String>,
    pub errors: Vec<Complaint>,
    pub transaction: Option<Transaction>,
}

impl Complaint {
    /// Its code, wherever it stands; empty where there is none.
    pub(super) fn code(&self) -> &str {
        let extended = || self.extensions.as_ref().and_then(|extensions| extensions.code.as_deref());
        self.code.as_deref().or_else(extended).unwrap_or_default()
    }

    /// Whether the key, or its account, must not do this. What stands in front of the API may drop the code.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self.code(), "NOT_AUTHORIZED" | "NOT_AUTHENTICATED") || self.message.starts_with("Not authorized")
    }
}

impl WalletInvoice {
    /// `None`: a state that is not in Blink's schema. `now` is in Unix seconds.
    pub(super) fn state(&self, now: u64) -> Option<InvoiceState> {
        let invoice = &self.invoice_by_payment_hash;
        match invoice.payment_status.as_str() {
            // The invoice may be paid an instant before the ledger says with how much.
            "PAID" => Some(self.income().unwrap_or(InvoiceState::Open)),
            "PENDING" => Some(InvoiceState::Open),
            "EXPIRED" => {
                let expires_at = decode_invoice(&invoice.payment_request).map_or(0, |decoded| decoded.expires_at);
                let over = now > expires_at.saturating_add(GRACE);
                Some(if over { InvoiceState::Expired } else { InvoiceState::Open })
            }
            _ => None,
        }
    }

    /// What came in. A failed payment of our own has an incoming transaction too, which gives it back.
    fn income(&self) -> Option<InvoiceState> {
        let income = self.transactions_by_payment_hash.iter().find(|transaction| {
            transaction.direction == "RECEIVE"
                && transaction.status == "SUCCESS"
                && transaction.settlement_currency == "BTC"
        })?;
        let amount = Msat::from_sat(u64::try_from(income.settlement_amount).ok()?).ok()?;
        Some(InvoiceState::Settled { amount, at: Some(income.created_at) })
    }
}

/// The receipt of a payment that has arrived; Blink may hand out its preimage later.
pub(super) fn receipt(transaction: Option<&Transaction>) -> Receipt {
    let preimage = transaction.and_then(|transaction| transaction.settlement_via.as_ref()?.pre_image.as_deref());
    let fee = transaction.filter(|transaction| transaction.settlement_currency == "BTC");
    Receipt {
        preimage: preimage.and_then(|text| Preimage::from_hex(text.as_bytes()).ok()),
        fee: fee.and_then(|transaction| Msat::from_sat(u64::try_from(transaction.settlement_fee).ok()?).ok()),
    }
}
