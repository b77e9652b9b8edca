//! Play money and real money, and what must not be sold for which.

use std::net::SocketAddr;

use crate::config::error::Problems;
use crate::config::{LightningBackendConfig, LightningConfig, SandboxConfig};
use crate::domain::Network;

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
