//! Play money and real money, and what must not be sold for which.

use crate::config::error::Problems;
use crate::config::raw::RawCallbacks;
use crate::config::{
    CallbacksConfig, LightningBackendConfig, LightningConfig, ProviderConfig, RouteConfig, SandboxConfig, ServerConfig,
};
use crate::domain::{Network, ServiceId};

use super::{Mode, url};

/// Who pays, with what, and who works for it.
pub(super) struct Sale<'a> {
    pub sandbox: &'a SandboxConfig,
    pub lightning: &'a LightningConfig,
    pub server: &'a ServerConfig,
    pub routes: &'a [RouteConfig],
    pub providers: &'a [ProviderConfig],
}

impl Sale<'_> {
    /// Play money costs nothing: a stranger who reaches it has this machine generate for free, and must not reach a
    /// provider that charges for it. Real money buys real work: nobody may be sold simulated work for it, but the
    /// operator may rehearse on their own machine.
    ///
    /// The services that are therefore not sold.
    pub(super) fn refuse_what_must_not_meet(&self, problems: &mut Problems) -> Vec<ServiceId> {
        let is_stranger = !self.server.listen.ip().is_loopback();
        let has_route = |id: &ServiceId| self.routes.iter().any(|route| route.service == *id);
        let (routed, simulated): (Vec<_>, Vec<_>) = ServiceId::ALL.into_iter().partition(has_route);
        if !self.lightning.is_real_money() {
            self.refuse_bills_for_play_money(problems);
            if !self.sandbox.public {
                if is_stranger {
                    self.refuse_play_money_of_strangers(problems);
                }
                self.refuse_proxies(problems);
            }
            return Vec::new();
        }
        if simulated.is_empty() {
            return simulated;
        }
        match (self.sandbox.rehearsal, routed.is_empty()) {
            (true, _) => {
                if is_stranger {
                    problems.add(
                        "server.listen",
                        "sandbox.rehearsal sells simulated work for real money, so nobody but this machine may reach \
                         it: listen on 127.0.0.1",
                    );
                }
                self.refuse_proxies(problems);
                Vec::new()
            }
            (false, true) => {
                problems.add(
                    "lightning.network",
                    format!(
                        "invoices on {} cost real money, and without [[services.video.routes]] or \
                         [[services.3d-model.routes]] everything that is generated is simulated; to rehearse with \
                         your own wallet on this machine, set sandbox.rehearsal = true",
                        Network::Bitcoin
                    ),
                );
                simulated
            }
            (false, false) => simulated,
        }
    }

    fn refuse_bills_for_play_money(&self, problems: &mut Problems) {
        for id in ServiceId::ALL {
            for (index, route) in self.routes.iter().filter(|route| route.service == id).enumerate() {
                let account = self.providers.iter().find(|account| account.name == route.provider);
                if let Some(account) = account.filter(|account| account.bills()) {
                    problems.add(
                        format!("services.{id}.routes[{index}].provider"),
                        format!(
                            "`{}` charges you for every generation, and callers would pay with {}: take invoices on {} \
                             (lightning.backend, lightning.network), or name a model server of your own",
                            account.name,
                            self.play_money(),
                            Network::Bitcoin
                        ),
                    );
                }
            }
        }
    }

    fn refuse_play_money_of_strangers(&self, problems: &mut Problems) {
        problems.add(
            "server.listen",
            format!(
                "{} can be reached from other machines, where anybody could pay with {}; listen on 127.0.0.1, or allow \
                 it with sandbox.public = true (`--public-sandbox`)",
                self.server.listen,
                self.play_money()
            ),
        );
    }

    /// A proxy brings strangers to a listener on loopback.
    fn refuse_proxies(&self, problems: &mut Problems) {
        if self.server.trusted_proxies.is_empty() {
            return;
        }
        let message = if self.lightning.is_real_money() {
            "sandbox.rehearsal sells simulated work for real money, so nobody but this machine may reach it: leave \
             proxies out"
                .to_owned()
        } else {
            format!(
                "other machines come through a proxy, and anybody could pay with {}; leave it out, or allow them with \
                 sandbox.public = true (`--public-sandbox`)",
                self.play_money()
            )
        };
        problems.add("server.trusted_proxies", message);
    }

    /// Whether callers of other machines are to be turned away, should a proxy that nobody has told of bring them.
    pub(super) fn is_local_only(&self) -> bool {
        let has_route = |id: &ServiceId| self.routes.iter().any(|route| route.service == *id);
        if self.lightning.is_real_money() {
            self.sandbox.rehearsal && !ServiceId::ALL.iter().all(has_route)
        } else {
            !self.sandbox.public
        }
    }

    fn play_money(&self) -> String {
        match self.lightning.backend {
            LightningBackendConfig::Sandbox => "sandbox money".to_owned(),
            _ => format!("money of {} that is worth nothing", self.lightning.network),
        }
    }
}

/// Callers' URLs may lead to this machine and its neighbours only where all callers are the operator's own: a stranger
/// would have the gateway knock on doors that they cannot reach themselves.
pub(super) fn callbacks(
    raw: &RawCallbacks,
    mode: Mode,
    sandbox: &SandboxConfig,
    lightning: &LightningConfig,
    server: &ServerConfig,
    problems: &mut Problems,
) -> CallbacksConfig {
    // A public URL in front of loopback is a proxy or a tunnel, through which strangers come.
    let is_reachable = !server.listen.ip().is_loopback() || url::is_public(server.public_url.as_deref());
    let among_ourselves = !lightning.is_real_money() && !is_reachable;
    let is_rehearsal = sandbox.rehearsal && !is_reachable;
    if raw.allow_private == Some(true) && !among_ourselves && !is_rehearsal {
        problems.add(
            "callbacks.allow_private",
            "strangers could have the gateway call services of this machine and its network; this is for payments that \
             are worth nothing or for sandbox.rehearsal, and only while server.listen and server.public_url are of this \
             machine or its network alone",
        );
    }
    CallbacksConfig { allow_private: raw.allow_private.unwrap_or(mode == Mode::Dev && among_ourselves) }
}
