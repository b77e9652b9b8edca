//! The connection string that a wallet hands out.

use nostr::key::{Keys, PublicKey, SecretKey};
use url::{Host, Url};

use crate::egress::is_public;

/// More relays than this are no help.
const MOST_RELAYS: usize = 8;

/// Whom to talk to, where, and with which key.
pub(super) struct Connection {
    /// The gateway's own key, which is the connection's secret.
    pub keys: Keys,
    /// The wallet's key.
    pub wallet: PublicKey,
    /// Where the wallet listens; one at least.
    pub relays: Vec<Url>,
}

/// Reads `nostr+walletconnect://<wallet's key>?relay=…&secret=…`. Errors say what is wrong with it and quote nothing.
pub(super) fn read(uri: &str) -> Result<Connection, String> {
    let no_uri = || "this is no connection string: it begins with nostr+walletconnect://".to_owned();
    let uri = Url::parse(uri.trim()).map_err(|_| no_uri())?;
    // Without the plus sign in strings of older wallets.
    if !["nostr+walletconnect", "nostrwalletconnect"].contains(&uri.scheme()) {
        return Err(no_uri());
    }
    let key = uri.host_str().unwrap_or_else(|| uri.path());
    let wallet = PublicKey::from_hex(key).ok().filter(|key| key.xonly().is_ok());
    let wallet = wallet.ok_or("what follows nostr+walletconnect:// is no public key: copy the whole string again")?;
    let value = |name: &str| uri.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let secret = value("secret").and_then(|secret| SecretKey::from_hex(&secret).ok());
    let secret = secret.ok_or("it has no secret that is a key: copy the whole string again")?;
    let relays: Vec<_> =
        uri.query_pairs().filter(|(key, _)| key == "relay").map(|(_, relay)| relay.into_owned()).collect();
    if relays.is_empty() {
        return Err("it names no relay: copy the whole string again".into());
    }
    let relays = relays.iter().take(MOST_RELAYS).enumerate().map(|(index, relay)| read_relay(index, relay));
    Ok(Connection { keys: Keys::new(secret), wallet, relays: relays.collect::<Result<_, _>>()? })
}

fn read_relay(index: usize, relay: &str) -> Result<Url, String> {
    let number = index.saturating_add(1);
    let no_url = || format!("its relay {number} is no wss:// URL");
    let url = Url::parse(relay).map_err(|_| no_url())?;
    let host = url.host().ok_or_else(no_url)?;
    if !["wss", "ws"].contains(&url.scheme()) || !url.username().is_empty() || url.password().is_some() {
        return Err(no_url());
    }
    // The relay sees who talks to whom and when. A name is looked at when it has been resolved.
    let in_the_open = match host {
        Host::Ipv4(address) => is_public(address.into()),
        Host::Ipv6(address) => is_public(address.into()),
        Host::Domain(_) => false,
    };
    if url.scheme() == "ws" && in_the_open {
        return Err(format!("its relay {number} has no TLS (ws://) and is not in a private network"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: &str = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4";
    const SECRET: &str = "71a8c14c1407c113601079c4302dab36460f0ccd0ad506f1f2dc73b5100e4f3c";

    fn refusal(uri: &str) -> String {
        let refusal = read(uri).err().unwrap();
        assert!(!refusal.contains(SECRET) && !refusal.contains("damus"), "{refusal}");
        refusal
    }

    #[test]
    fn a_string_is_read_as_wallets_write_it() {
        for relay in ["wss%3A%2F%2Frelay.damus.io", "wss://relay.damus.io"] {
            for scheme in ["nostr+walletconnect://", "nostr+walletconnect:", "nostrwalletconnect://"] {
                let uri =
                    format!("{scheme}{WALLET}?relay={relay}&relay=ws://127.0.0.1:7000&secret={SECRET}&lud16=a@b.c\n");
                let read = read(&uri).unwrap();
                assert_eq!(read.wallet.to_hex(), WALLET);
                assert_eq!(read.keys.secret_key().to_secret_hex(), SECRET);
                let relays: Vec<_> = read.relays.iter().map(Url::as_str).collect();
                assert_eq!(relays, ["wss://relay.damus.io/", "ws://127.0.0.1:7000/"]);
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_string_is_said() {
        let no_string = "this is no connection string: it begins with nostr+walletconnect://";
        assert_eq!(refusal(SECRET), no_string);
        assert_eq!(refusal(&format!("https://relay.damus.io/?secret={SECRET}")), no_string);
        let no_key = "what follows nostr+walletconnect:// is no public key: copy the whole string again";
        assert_eq!(refusal(&format!("nostr+walletconnect://relay.damus.io?secret={SECRET}")), no_key);
        let no_secret = "it has no secret that is a key: copy the whole string again";
        assert_eq!(refusal(&format!("nostr+walletconnect://{WALLET}?relay=wss://relay.damus.io")), no_secret);
        let uri = |relay: &str| format!("nostr+walletconnect://{WALLET}?secret={SECRET}{relay}");
        assert_eq!(refusal(&uri("")), "it names no relay: copy the whole string again");
        let second = refusal(&uri("&relay=wss://relay.damus.io&relay=https://relay.damus.io"));
        assert_eq!(second, "its relay 2 is no wss:// URL");
        let open = "its relay 1 has no TLS (ws://) and is not in a private network";
        assert_eq!(refusal(&uri("&relay=ws://1.1.1.1")), open);
        assert_eq!(refusal(&uri("&relay=ws://[2606:4700::1111]:80")), open);
    }
}
