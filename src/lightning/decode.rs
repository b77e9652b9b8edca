//! Reading somebody else's BOLT 11 invoice.

use std::str::FromStr as _;

use bitcoin::hashes::Hash as _;
use lightning_invoice::{Currency, DEFAULT_EXPIRY_TIME, SignedRawBolt11Invoice};

use crate::domain::{Msat, PaymentHash};

/// An invoice is a few hundred characters; nothing near this length is one.
const MAX_LEN: usize = 4_096;

/// The chain that an invoice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Real money, `lnbc…`.
    Bitcoin,
    /// `lntb…`
    Testnet,
    /// `lntbs…`
    Signet,
    /// `lnbcrt…`
    Regtest,
    /// `lnsb…`
    Simnet,
}

/// What an invoice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedInvoice {
    /// The hash that its preimage opens.
    pub payment_hash: PaymentHash,
    /// The amount; `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// The chain.
    pub network: Network,
    /// When it can no longer be paid, in Unix seconds.
    pub expires_at: u64,
}

/// Text that is not a BOLT 11 invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a BOLT 11 invoice")]
pub struct UndecodableInvoice;

/// Decodes the text of an invoice. The signature is not checked: whose key it is, only the backend knows.
///
/// It reads the raw form, because the stricter one refuses invoices without feature bits, which some wallets make.
pub fn decode_invoice(bolt11: &str) -> Result<DecodedInvoice, UndecodableInvoice> {
    if bolt11.len() > MAX_LEN {
        return Err(UndecodableInvoice);
    }
    let invoice = SignedRawBolt11Invoice::from_str(bolt11).map_err(|_| UndecodableInvoice)?;
    let payment_hash = invoice.payment_hash().ok_or(UndecodableInvoice)?;
    let amount = match invoice.amount_pico_btc() {
        // A tenth of a millisatoshi cannot be paid: BOLT 11 demands a multiple of ten pico-bitcoin.
        Some(pico) if pico % 10 != 0 => return Err(UndecodableInvoice),
        Some(pico) => Some(Msat::new(pico / 10).map_err(|_| UndecodableInvoice)?),
        None => None,
    };
    let expiry = invoice.expiry_time().map_or(DEFAULT_EXPIRY_TIME, lightning_invoice::ExpiryTime::as_seconds);
    Ok(DecodedInvoice {
        payment_hash: PaymentHash::from_bytes(payment_hash.0.to_byte_array()),
        amount,
        network: network(&invoice.currency()),
        expires_at: invoice.data.timestamp.as_unix_timestamp().saturating_add(expiry),
    })
}

const fn network(currency: &Currency) -> Network {
    match currency {
        Currency::Bitcoin => Network::Bitcoin,
        Currency::BitcoinTestnet => Network::Testnet,
        Currency::Signet => Network::Signet,
        Currency::Regtest => Network::Regtest,
        Currency::Simnet => Network::Simnet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The BOLT 11 document's example "Please send $3 for a cup of coffee to the same peer, within one minute".
    const COFFEE: &str = "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpuaztrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudupq63nyw24cg27h2rspfj9srp";

    #[test]
    fn an_example_of_the_specification_is_read() {
        let decoded = decode_invoice(COFFEE).unwrap();
        assert_eq!(decoded.amount.unwrap().msat(), 250_000_000);
        assert_eq!(decoded.network, Network::Bitcoin);
        assert_eq!(decoded.expires_at, 1_496_314_658 + 60);
        assert!(decoded.payment_hash.to_hex().starts_with("0001020304"));
    }

    #[test]
    fn a_damaged_invoice_is_refused() {
        let damaged = COFFEE.replace("2500u", "2501u");
        assert_eq!(decode_invoice(&damaged), Err(UndecodableInvoice));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _ = decode_invoice(&text);
            let _ = decode_invoice(&format!("lnbcrt{text}"));
        }
    }
}
