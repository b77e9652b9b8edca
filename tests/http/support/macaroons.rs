//! Macaroons as their holder sees them, and as only the gateway can make them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use satforge::config::Config;
use satforge::paywall::macaroon::Macaroon;
use satforge::paywall::token::{self, Token};

/// A macaroon that was taken apart.
#[derive(Clone, Debug)]
pub struct Pieces {
    pub identifier: Vec<u8>,
    pub caveats: Vec<String>,
    bytes: Vec<u8>,
}

impl Pieces {
    /// Reads the text of a challenge.
    pub fn of(macaroon: &str) -> Self {
        let bytes = STANDARD.decode(macaroon).expect("standard base64 with padding");
        let decoded = Macaroon::decode(&bytes).expect("a macaroon");
        let caveats = decoded.caveats().iter().map(|caveat| String::from_utf8_lossy(caveat).into_owned()).collect();
        Self { identifier: decoded.identifier().to_vec(), caveats, bytes: bytes.clone() }
    }

    /// The identifier's meaning.
    pub fn token(&self) -> Token {
        Token::from_identifier(&self.identifier).expect("an identifier of ours")
    }

    /// The value of a caveat.
    pub fn caveat(&self, condition: &str) -> &str {
        let value = self.caveats.iter().find_map(|caveat| caveat.strip_prefix(condition)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {condition} in {:?}", self.caveats))
    }

    /// The text with caveats that any holder can append.
    pub fn with(&self, caveats: &[&str]) -> String {
        let macaroon = Macaroon::decode(&self.bytes).expect("a macaroon");
        let longer = caveats.iter().fold(macaroon, |macaroon, caveat| macaroon.with_caveat(caveat.as_bytes()));
        STANDARD.encode(longer.encode())
    }

    /// The text with other caveats under the gateway's own signature, which nobody else can make.
    pub fn minted_with(&self, config: &Config, caveats: &[&str]) -> String {
        let identifier = self.identifier.as_slice().try_into().expect("an identifier of our length");
        let key = token::root_key(config.keys.newest(), identifier);
        let caveats = caveats.iter().map(|caveat| caveat.as_bytes()).collect();
        STANDARD.encode(Macaroon::mint(&key, b"satforge", &self.identifier, caveats).encode())
    }

    /// The text with one bit of the signature turned.
    pub fn forged(&self) -> String {
        let mut bytes = self.bytes.clone();
        *bytes.last_mut().expect("a signature") ^= 1;
        STANDARD.encode(bytes)
    }
}
