//! What the wallet has told about itself: how it wants to be written to, and what it lets this connection do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nostr::event::Event;
use nostr::key::{Keys, PublicKey};
use nostr::nips::{nip04, nip44};

/// The wallet at the other end, as far as it is known.
#[derive(Default)]
pub(super) struct Wallet {
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// When the info event was made, in Unix seconds; 0: there was none yet.
    at: u64,
    encryption: Option<Encryption>,
    methods: Option<Methods>,
}

/// How requests are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Nip44,
    Nip04,
}

/// The methods that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for one name in a list")]
pub(super) struct Methods {
    pub make: bool,
    pub lookup: bool,
    pub pay: bool,
    pub info: bool,
}

impl Wallet {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an info event of this time could tell anything new. A relay may bring an old one back, from before the
    /// wallet learnt the better encryption, and it must not count.
    pub(super) fn is_news(&self, made_at: u64) -> bool {
        made_at > self.lock().at
    }

    /// Takes in the wallet's info event, whose signature was checked.
    pub(super) fn learn(&self, event: &Event) {
        if !self.is_news(event.created_at.as_secs()) {
            return;
        }
        let tag = event.tags.iter().find(|tag| tag.kind() == "encryption");
        let offered = tag.map(|tag| tag.as_slice().iter().skip(1).flat_map(|value| value.split_whitespace()));
        let encryption = match offered {
            None => Some(Encryption::Nip04),
            Some(offered) => {
                let offered: Vec<_> = offered.collect();
                let known = [("nip44_v2", Encryption::Nip44), ("nip04", Encryption::Nip04)];
                known.into_iter().find(|(name, _)| offered.contains(name)).map(|(_, encryption)| encryption)
            }
        };
        let methods = Methods::among(event.content.split_whitespace());
        *self.lock() = Known { at: event.created_at.as_secs(), encryption, methods };
    }

    /// Takes in the methods that `get_info` lists: those of this very connection.
    pub(super) fn learn_methods<'a>(&self, methods: impl Iterator<Item = &'a str>) {
        if let Some(methods) = Methods::among(methods) {
            self.lock().methods = Some(methods);
        }
    }

    /// Whether it has told anything yet.
    pub(super) fn is_known(&self) -> bool {
        self.lock().at > 0
    }

    /// The better one of what it offers; `None`: nothing that is known here.
    pub(super) fn encryption(&self) -> Option<Encryption> {
        self.lock().encryption
    }

    /// What it lets this connection do. A wallet that has not told yet is believed to allow everything: it is asked
    /// before anything depends on it.
    pub(super) fn methods(&self) -> Methods {
        self.lock().methods.unwrap_or(Methods { make: true, lookup: true, pay: true, info: true })
    }
}

impl Methods {
    /// `None`: the list is empty, which says nothing.
    fn among<'a>(names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let names: Vec<_> = names.collect();
        let has = |name: &str| names.contains(&name);
        let methods = Self {
            make: has("make_invoice"),
            lookup: has("lookup_invoice"),
            pay: has("pay_invoice"),
            info: has("get_info"),
        };
        (!names.is_empty()).then_some(methods)
    }
}

impl Encryption {
    /// The word in a request's `encryption` tag.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nip44 => "nip44_v2",
            Self::Nip04 => "nip04",
        }
    }

    /// `None`: the text is too long.
    pub(super) fn seal(self, keys: &Keys, to: &PublicKey, text: &str) -> Option<String> {
        match self {
            Self::Nip44 => nip44::encrypt(keys.secret_key(), to, text, nip44::Version::V2).ok(),
            Self::Nip04 => nip04::encrypt(keys.secret_key(), to, text).ok(),
        }
    }
}

/// The text of a sealed one, whichever way it is sealed: a wallet that cannot read one way says so in the other. What is
/// opened must be signed by the other side: NIP-04 by itself would not notice a change.
pub(super) fn open(keys: &Keys, from: &PublicKey, sealed: &str) -> Option<String> {
    if sealed.contains("?iv=") {
        nip04::decrypt(keys.secret_key(), from, sealed).ok()
    } else {
        nip44::decrypt(keys.secret_key(), from, sealed).ok()
    }
}

#[cfg(test)]
mod tests {
    use nostr::event::{EventBuilder, FinalizeEvent as _, Kind, Tag};
    use nostr::types::Timestamp;

    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::parse(&hex::encode([byte; 32])).unwrap()
    }

    fn info(at: u64, encryption: Option<&[&str]>, methods: &str) -> Event {
        let tags = encryption.map(|values| Tag::custom("encryption", values.iter().copied()));
        let info = EventBuilder::new(Kind::from(13194), methods).tags(tags).custom_created_at(Timestamp::from_secs(at));
        info.finalize(&keys(1)).unwrap()
    }

    #[test]
    fn the_better_encryption_is_taken_and_none_means_the_older() {
        let cases: [(Option<&[&str]>, Option<Encryption>); 5] = [
            (None, Some(Encryption::Nip04)),
            (Some(&["nip44_v2 nip04"]), Some(Encryption::Nip44)),
            (Some(&["nip04", "nip44_v2"]), Some(Encryption::Nip44)),
            (Some(&["nip04"]), Some(Encryption::Nip04)),
            (Some(&["nip99"]), None),
        ];
        for (offered, taken) in cases {
            let wallet = Wallet::default();
            assert!(!wallet.is_known());
            wallet.learn(&info(7, offered, "make_invoice"));
            assert!(wallet.is_known());
            assert_eq!(wallet.encryption(), taken, "{offered:?}");
        }
    }

    #[test]
    fn an_older_info_event_brings_nothing_back() {
        let wallet = Wallet::default();
        wallet.learn(&info(7, Some(&["nip44_v2"]), "make_invoice lookup_invoice"));
        for at in [6, 7] {
            wallet.learn(&info(at, None, "make_invoice lookup_invoice pay_invoice"));
            assert_eq!(wallet.encryption(), Some(Encryption::Nip44));
            assert!(!wallet.methods().pay);
        }
        wallet.learn(&info(8, None, "make_invoice lookup_invoice pay_invoice"));
        assert_eq!(wallet.encryption(), Some(Encryption::Nip04));
        assert!(wallet.methods().pay);
    }

    #[test]
    fn what_is_sealed_either_way_can_be_opened_by_the_other_side_alone() {
        for encryption in [Encryption::Nip44, Encryption::Nip04] {
            let sealed = encryption.seal(&keys(1), &keys(2).public_key(), "five sats").unwrap();
            assert_eq!(open(&keys(2), &keys(1).public_key(), &sealed).as_deref(), Some("five sats"));
            assert_ne!(open(&keys(3), &keys(1).public_key(), &sealed).as_deref(), Some("five sats"));
        }
        assert_eq!(open(&keys(2), &keys(1).public_key(), "<html>"), None);
    }
}
