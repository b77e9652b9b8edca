//! Sentences of docs/lightning.md that stand in the log while the gateway runs: `check` cannot bring them about. The
//! tests in `traps` assert them by these names.

/// A sentence and where it is documented.
pub struct Logged {
    pub backend: &'static str,
    pub said: &'static str,
}

macro_rules! logged {
    ($($backend:ident: $name:ident = $said:expr;)+) => {
        $(pub const $name: &str = $said;)+

        pub const ALL: &[Logged] =
            &[$(Logged { backend: stringify!($backend), said: $said },)+];
    };
}

pub const BACKENDS: [&str; 8] = ["lnd", "cln", "phoenixd", "lnbits", "blink", "opennode", "nwc", "lightning_address"];

logged! {
    cln: CLN_TOO_OLD = "lightning.cln.url: this Core Lightning is too old: Unknown command 'xpay'";
    phoenixd: PHOENIXD_MAY_NOT_PAY =
        "lightning.phoenixd.password: phoenixd does not let this password pay: give `http-password`";
    lnbits: LNBITS_NO_ADMIN_KEY =
        "lightning.lnbits.admin_key: this is missing, and without it LNbits pays nothing out";
    lnbits: LNBITS_FEE = "LNbits may spend up to 2001 msat on fees, and no more than 2000 msat is allowed";
    lnbits: LNBITS_BALANCE = "LNbits: Insufficient balance.";
    lnbits: LNBITS_DAILY = "LNbits: Daily withdrawal limit of 5 sats reached.";
    blink: BLINK_MAY_NOT_PAY =
        "lightning.blink.api_key: Blink does not allow this key to pay (\"Not authorized\"): it needs the scope Write, \
         and an open account";
    blink: BLINK_EXPIRY =
        "lightning.invoice_expiry_seconds: Blink's invoices can be paid for a day at the most, and an invoice that is \
         kept ready lives lightning.pool.max_age_seconds longer";
    opennode: OPENNODE_NO_READ =
        "lightning.opennode.api_key: this invoice was made before the last start, and this key may not list charges to \
         find it: it needs the permission Read";
    opennode: OPENNODE_LONG_LIST =
        "an invoice of before the last start cannot be found: the answer is larger than 524288 bytes";
    opennode: OPENNODE_EXPIRY =
        "lightning.invoice_expiry_seconds: OpenNode's invoices can be paid for a day at the most, and an invoice that is \
         kept ready lives lightning.pool.max_age_seconds longer";
    opennode: OPENNODE_TOO_MUCH = "OpenNode makes no Lightning invoices for more than 500000000 sat";
    nwc: NWC_NO_LOOKUP = "lightning.nwc.uri: the wallet does not allow this connection lookup_invoice";
}
