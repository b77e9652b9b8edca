//! Play money and real money, and what must not be sold for which.

use std::net::SocketAddr;

use crate::config::error::Problems;
use crate::config::raw::RawCallbacks;
use crate::config::{CallbacksConfig, LightningBackendConfig, LightningConfig, SandboxConfig};
use crate::domain::Network;

use super::Mode;

/// Play money costs nothing: a stranger who reaches it has this machine generate for free. Real money buys real work:
/// nobody may be sold simulated work for it, but the operator may rehearse on their own machine.
pub(super) fn refuse_what_must_not_meet(
    sandbox: &SandboxConfig,
    lightning: &LightningConfig,
    listen: SocketAddr,
    problems: &mut Problems,
) {
    let stranger = !listen.ip().is_loopback();
    if lightning.is_real_money() {
        refuse_simulated_work_for_real_money(sandbox, stranger, problems);
    } else if stranger && !sandbox.public {
        let money = match lightning.backend {
            LightningBackendConfig::Sandbox => "sandbox money".to_owned(),
            _ => format!("money of {} that is worth nothing", lightning.network),
        };
        problems.add(
            "server.listen",
            format!(
                "{listen} can be reached from other machines, where anybody could pay with {money}; listen on \
                 127.0.0.1, or allow it with sandbox.public = true (`--public-sandbox`)"
            ),
        );
    }
}

/// Callers' URLs may lead to this machine and its neighbours only where all callers are the operator's own: a stranger
/// would have the gateway knock on doors that they cannot reach themselves.
pub(super) fn callbacks(
    raw: &RawCallbacks,
    mode: Mode,
    lightning: &LightningConfig,
    listen: SocketAddr,
    problems: &mut Problems,
) -> CallbacksConfig {
    let among_ourselves = !lightning.is_real_money() && listen.ip().is_loopback();
    if raw.allow_private == Some(true) && !among_ourselves {
        problems.add(
            "callbacks.allow_private",
            "strangers could have the gateway call services of this machine and its network; this is for payments that \
             are worth nothing, and only while server.listen is an address of this machine alone",
        );
    }
    CallbacksConfig { allow_private: raw.allow_private.unwrap_or(mode == Mode::Dev && among_ourselves) }
}

fn refuse_simulated_work_for_real_money(sandbox: &SandboxConfig, stranger: bool, problems: &mut Problems) {
    if !sandbox.rehearsal {
        problems.add(
            "lightning.network",
            format!(
                "invoices on {} cost real money, and what this version generates is simulated; to rehearse with your \
                 own wallet on this machine, set sandbox.rehearsal = true",
                Network::Bitcoin
            ),
        );
    } else if stranger {
        problems.add(
            "server.listen",
            "sandbox.rehearsal sells simulated work for real money, so nobody but this machine may reach it: listen \
             on 127.0.0.1",
        );
    }
}
