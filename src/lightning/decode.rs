//! Reading a backend's BOLT 11 invoice.
//!
//! Every challenge is held against what this reads, so it reads only what is held: hash, amount, network, expiry, and
//! the hash of a description that stands elsewhere. The `lightning-invoice` crate reads everything and takes four times as long, a fifth of a challenge's whole time; a test
//! holds this against it.

use crate::domain::{Msat, Network, PaymentHash};

/// An invoice is a few hundred characters; nothing near this length is one.
const MAX_LEN: usize = 4_096;

/// What an invoice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedInvoice {
    /// The hash that its preimage opens.
    pub payment_hash: PaymentHash,
    /// The amount; `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// The chain.
    pub network: Network,
    /// When it says that it was made, in Unix seconds.
    pub made_at: u64,
    /// When it can no longer be paid, in Unix seconds.
    pub expires_at: u64,
    /// The SHA-256 of its description, where it does not hold the description itself.
    pub description_hash: Option<[u8; 32]>,
}

/// Text that is not a BOLT 11 invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a BOLT 11 invoice")]
pub struct UndecodableInvoice;

/// Decodes the lower-case text of an invoice. The signature is not checked: whose key it is, only the backend knows.
///
/// Invoices without feature bits are read as well, because some wallets make them.
pub fn decode_invoice(bolt11: &str) -> Result<DecodedInvoice, UndecodableInvoice> {
    if bolt11.len() > MAX_LEN {
        return Err(UndecodableInvoice);
    }
    let (human, data) = bolt11.rsplit_once('1').ok_or(UndecodableInvoice)?;
    let words = data.bytes().map(word).collect::<Option<Vec<u8>>>().ok_or(UndecodableInvoice)?;
    if !checksum_holds(human.as_bytes(), &words) {
        return Err(UndecodableInvoice);
    }
    let (network, amount) = read_human_part(human)?;
    let fields = words.len().checked_sub(CHECKSUM_WORDS + SIGNATURE_WORDS).ok_or(UndecodableInvoice)?;
    let (timestamp, fields) = words[..fields].split_at_checked(TIMESTAMP_WORDS).ok_or(UndecodableInvoice)?;
    let fields = read_fields(fields)?;
    let payment_hash = fields.payment_hash.map(PaymentHash::from_bytes).ok_or(UndecodableInvoice)?;
    let made_at = number(timestamp)?;
    let expires_at = made_at.saturating_add(fields.expiry.unwrap_or(DEFAULT_EXPIRY));
    Ok(DecodedInvoice { payment_hash, amount, network, made_at, expires_at, description_hash: fields.description_hash })
}

const TIMESTAMP_WORDS: usize = 7;
const SIGNATURE_WORDS: usize = 104;
const CHECKSUM_WORDS: usize = 6;
const PAYMENT_HASH: u8 = 1;
const DESCRIPTION_HASH: u8 = 23;
/// Any other length is no hash, and is passed over.
const HASH_WORDS: usize = 52;
const EXPIRY: u8 = 6;
/// Seconds, where an invoice does not say.
const DEFAULT_EXPIRY: u64 = 3_600;

/// `ln`, the network, and the amount as a number of parts of a bitcoin.
fn read_human_part(human: &str) -> Result<(Network, Option<Msat>), UndecodableInvoice> {
    // The longer prefix first, where one begins with another.
    const NETWORKS: [Network; 5] =
        [Network::Regtest, Network::Bitcoin, Network::Signet, Network::Testnet, Network::Simnet];
    let (network, amount) = NETWORKS
        .into_iter()
        .find_map(|network| Some((network, human.strip_prefix(network.invoice_prefix())?)))
        .ok_or(UndecodableInvoice)?;
    if amount.is_empty() {
        return Ok((network, None));
    }
    // In tenths of a millisatoshi, which is what the smallest part, a pico-bitcoin, comes to.
    let (digits, tenths) = match amount.as_bytes().last() {
        Some(b'm') => (&amount[..amount.len() - 1], 1_000_000_000),
        Some(b'u') => (&amount[..amount.len() - 1], 1_000_000),
        Some(b'n') => (&amount[..amount.len() - 1], 1_000),
        Some(b'p') => (&amount[..amount.len() - 1], 1),
        _ => (amount, 1_000_000_000_000),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UndecodableInvoice);
    }
    let parts: u64 = digits.parse().map_err(|_| UndecodableInvoice)?;
    let tenths = parts.checked_mul(tenths).ok_or(UndecodableInvoice)?;
    // A tenth of a millisatoshi cannot be paid.
    if !tenths.is_multiple_of(10) {
        return Err(UndecodableInvoice);
    }
    Ok((network, Some(Msat::new(tenths / 10).map_err(|_| UndecodableInvoice)?)))
}

/// The tagged fields that are read.
#[derive(Default)]
struct Fields {
    payment_hash: Option<[u8; 32]>,
    /// Seconds.
    expiry: Option<u64>,
    description_hash: Option<[u8; 32]>,
}

/// Of a repeated field the first counts.
fn read_fields(mut words: &[u8]) -> Result<Fields, UndecodableInvoice> {
    let mut fields = Fields::default();
    while let [kind, high, low, rest @ ..] = words {
        let len = usize::from(*high) << 5 | usize::from(*low);
        let (value, rest) = rest.split_at_checked(len).ok_or(UndecodableInvoice)?;
        match *kind {
            PAYMENT_HASH if len == HASH_WORDS && fields.payment_hash.is_none() => {
                fields.payment_hash = Some(hash(value));
            }
            DESCRIPTION_HASH if len == HASH_WORDS && fields.description_hash.is_none() => {
                fields.description_hash = Some(hash(value));
            }
            EXPIRY if fields.expiry.is_none() => fields.expiry = Some(number(value)?),
            _ => {}
        }
        words = rest;
    }
    if words.is_empty() { Ok(fields) } else { Err(UndecodableInvoice) }
}

/// 52 words of five bits hold 32 bytes and four bits of padding.
fn hash(words: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (mut bits, mut buffer, mut at) = (0, 0_u32, 0);
    for word in words {
        buffer = buffer << 5 | u32::from(*word);
        bits += 5;
        if bits >= 8 && at < bytes.len() {
            bits -= 8;
            bytes[at] = (buffer >> bits & 0xff) as u8;
            at += 1;
        }
    }
    bytes
}

fn number(words: &[u8]) -> Result<u64, UndecodableInvoice> {
    words.iter().try_fold(0_u64, |number, word| {
        let shifted = number.checked_mul(32).ok_or(UndecodableInvoice)?;
        Ok(shifted | u64::from(*word))
    })
}

/// The five bits that a character stands for (BIP 173).
const fn word(character: u8) -> Option<u8> {
    const WORDS: [u8; 128] = {
        let alphabet = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let mut words = [u8::MAX; 128];
        let mut value = 0;
        while value < 32 {
            words[alphabet[value as usize] as usize] = value;
            value += 1;
        }
        words
    };
    if character >= 128 || WORDS[character as usize] == u8::MAX {
        return None;
    }
    Some(WORDS[character as usize])
}

/// The checksum of BIP 173.
fn checksum_holds(human: &[u8], words: &[u8]) -> bool {
    let high = human.iter().map(|character| character >> 5);
    let low = human.iter().map(|character| character & 31);
    let all = high.chain([0]).chain(low).chain(words.iter().copied());
    all.fold(1, polymod) == 1
}

const fn polymod(checksum: u32, word: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    /// What the five bits that fall out come back as.
    const CARRIED: [u32; 32] = {
        let mut carried = [0; 32];
        let mut top = 0;
        while top < 32 {
            let mut bit = 0;
            while bit < 5 {
                if top >> bit & 1 == 1 {
                    carried[top] ^= GENERATOR[bit];
                }
                bit += 1;
            }
            top += 1;
        }
        carried
    };
    (checksum & 0x1ff_ffff) << 5 ^ word as u32 ^ CARRIED[(checksum >> 25) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::{Hash as _, sha256};
    use bitcoin::secp256k1::{Secp256k1, SecretKey};
    use lightning_invoice::{
        Bolt11InvoiceDescription, Currency, Description, ExpiryTime, InvoiceBuilder, PaymentSecret, Sha256,
        SignedRawBolt11Invoice,
    };
    use proptest::prelude::*;
    use std::str::FromStr as _;
    use std::time::Duration;

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

    /// What the `lightning-invoice` crate reads.
    fn by_the_library(bolt11: &str) -> Option<DecodedInvoice> {
        let invoice = SignedRawBolt11Invoice::from_str(bolt11).ok()?;
        let network = match invoice.currency() {
            Currency::Bitcoin => Network::Bitcoin,
            Currency::BitcoinTestnet => Network::Testnet,
            Currency::Signet => Network::Signet,
            Currency::Regtest => Network::Regtest,
            Currency::Simnet => Network::Simnet,
        };
        let amount = invoice.amount_pico_btc().map(|pico| Msat::new(pico / 10).unwrap());
        let expiry = invoice.expiry_time().map_or(DEFAULT_EXPIRY, ExpiryTime::as_seconds);
        Some(DecodedInvoice {
            payment_hash: PaymentHash::from_bytes(invoice.payment_hash()?.0.to_byte_array()),
            amount,
            network,
            made_at: invoice.data.timestamp.as_unix_timestamp(),
            expires_at: invoice.data.timestamp.as_unix_timestamp() + expiry,
            description_hash: invoice.description_hash().map(|hash| hash.0.to_byte_array()),
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_reads(
            msat in 1..21_000_000_000_u64, expiry in 1..40_000_000_u64, text in "[a-z ]{0,40}", network in 0..5_usize,
            hash: [u8; 32], described_elsewhere: Option<[u8; 32]>, changed in any::<prop::sample::Index>(), by in prop::sample::select(b"qpzry9x8".to_vec()),
        ) {
            let currencies =
                [Currency::Bitcoin, Currency::BitcoinTestnet, Currency::Signet, Currency::Regtest, Currency::Simnet];
            let key = SecretKey::from_slice(&[7; 32]).unwrap();
            let description = match described_elsewhere {
                Some(hash) => Bolt11InvoiceDescription::Hash(Sha256(sha256::Hash::from_byte_array(hash))),
                None => Bolt11InvoiceDescription::Direct(Description::new(text).unwrap()),
            };
            let invoice = InvoiceBuilder::new(currencies[network].clone())
                .invoice_description(description)
                .amount_milli_satoshis(msat)
                .payment_hash(sha256::Hash::from_byte_array(hash))
                .payment_secret(PaymentSecret([3; 32]))
                .duration_since_epoch(Duration::from_hours(500_000))
                .expiry_time(Duration::from_secs(expiry))
                .min_final_cltv_expiry_delta(18)
                .build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, &key))
                .unwrap()
                .to_string();
            let decoded = decode_invoice(&invoice).unwrap();
            prop_assert_eq!(decoded.amount.unwrap().msat(), msat);
            prop_assert_eq!(decoded.description_hash, described_elsewhere);
            prop_assert_eq!(Some(decoded), by_the_library(&invoice));

            let mut damaged = invoice.clone().into_bytes();
            let at = changed.index(damaged.len());
            damaged[at] = by;
            let damaged = String::from_utf8(damaged).unwrap();
            prop_assert_eq!(decode_invoice(&damaged).ok(), by_the_library(&damaged));
        }

        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _ = decode_invoice(&text);
            let _ = decode_invoice(&format!("lnbcrt{text}"));
        }
    }
}
