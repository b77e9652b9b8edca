//! The account behind the key.

use serde::Deserialize;

use crate::domain::Network;

use super::fault::Unfit;
use super::wire::Me;

#[derive(Deserialize)]
pub(super) struct AccountData {
    authorization: Authorization,
    globals: Option<Globals>,
    me: Me<Wallets>,
}

#[derive(Deserialize)]
struct Authorization {
    scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Globals {
    network: String,
}

#[derive(Deserialize)]
struct Wallets {
    wallets: Vec<Wallet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wallet {
    id: String,
    wallet_currency: String,
}

/// The account behind the key.
pub(super) struct Account {
    pub wallet_id: String,
    pub may_pay: bool,
}

impl AccountData {
    /// The account, if its key may make invoices for the BTC wallet `wanted`, or for the one that there is.
    pub(super) fn account(self, wanted: Option<&str>, ours: Network) -> Result<Account, Unfit> {
        if let Some(theirs) =
            self.globals.and_then(|globals| network(&globals.network)).filter(|theirs| *theirs != ours)
        {
            return Err(Unfit::Network { theirs, ours });
        }
        let may = |scope: &str| self.authorization.scopes.iter().any(|has| has == scope);
        // The scope Write includes Receive.
        if !may("RECEIVE") && !may("WRITE") {
            return Err(Unfit::CannotReceive);
        }
        let mut wallets = self.me.default_account.wallets.into_iter();
        let wallet = match wanted {
            Some(wanted) => wallets.find(|wallet| wallet.id == wanted).ok_or(Unfit::UnknownWallet)?,
            None => wallets.find(|wallet| wallet.wallet_currency == "BTC").ok_or(Unfit::NoBtcWallet)?,
        };
        if wallet.wallet_currency != "BTC" {
            return Err(Unfit::UsdWallet);
        }
        let may_pay = self.authorization.scopes.iter().any(|has| has == "WRITE");
        Ok(Account { wallet_id: wallet.id, may_pay })
    }
}

fn network(name: &str) -> Option<Network> {
    match name {
        "mainnet" => Some(Network::Bitcoin),
        "testnet" => Some(Network::Testnet),
        "signet" => Some(Network::Signet),
        "regtest" => Some(Network::Regtest),
        _ => None,
    }
}
