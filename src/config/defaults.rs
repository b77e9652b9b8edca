//! What holds where nothing was typed.

use std::collections::BTreeMap;

use super::raw::{
    RawArtifacts, RawBlink, RawCallbacks, RawCln, RawConfig, RawJobs, RawKeys, RawLightning, RawLightningAddress,
    RawLightningBackend, RawLimits, RawLnbits, RawLnd, RawLog, RawLogFormat, RawMetrics, RawModel3d, RawNwc,
    RawOpenNode, RawPayouts, RawPaywall, RawPhoenixd, RawPool, RawPrice, RawRefunds, RawSandbox, RawServe, RawServer,
    RawServices, RawVideo, RawWaiting,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const RESULT_LIMIT: u64 = 256 * 1024 * 1024;

impl RawConfig {
    /// The defaults of `satforge serve`.
    pub(super) fn serve() -> Self {
        Self {
            data_dir: "./satforge-data".into(),
            refunds: RawRefunds::Automatic,
            server: server(),
            metrics: RawMetrics { listen: "127.0.0.1:9464".into() },
            log: RawLog { format: RawLogFormat::Pretty, filter: "info".into() },
            keys: RawKeys { secrets: Vec::new() },
            lightning: lightning(),
            paywall: RawPaywall { redeem_window_seconds: 86_400.0 },
            payouts: RawPayouts {
                max_fee_percent: 1.0,
                max_fee_floor_sats: 10,
                payment_timeout_seconds: 60.0,
                link_seconds: 86_400.0,
            },
            services: RawServices { video: video(), model_3d: model_3d() },
            limits: limits(),
            waiting: waiting(),
            jobs: jobs(),
            artifacts: artifacts(),
            callbacks: RawCallbacks { allow_private: None },
            sandbox: RawSandbox { public: false, rehearsal: false, generation_seconds: 3.0 },
            providers: BTreeMap::new(),
        }
    }

    /// The defaults of `satforge dev`: a free port for metrics, so that several can run, and no limit that somebody who
    /// tries things out could meet alone.
    pub(super) fn dev() -> Self {
        let mut raw = Self::serve();
        raw.metrics.listen = "127.0.0.1:0".into();
        raw.limits.challenges_per_minute = 0;
        raw.limits.network_challenges_per_minute = 0;
        raw.limits.open_invoices = 0;
        raw.limits.misses_per_minute = 0;
        raw.server.max_connections_per_address = 0;
        raw.server.max_connections_per_network = 0;
        raw
    }
}

fn server() -> RawServer {
    RawServer {
        listen: "127.0.0.1:4020".into(),
        public_url: None,
        tls_certificate: None,
        tls_private_key: None,
        trusted_proxies: Vec::new(),
        // Twice the ten thousand callers that are meant to be able to wait at once.
        max_connections: 20_000,
        // Each caller who waits for a result holds one.
        max_connections_per_address: 500,
        max_connections_per_network: 2_000,
        header_timeout_seconds: 10.0,
        body_idle_timeout_seconds: 15.0,
        // 16 MiB at about half a megabit a second.
        body_timeout_seconds: 300.0,
        write_timeout_seconds: 30.0,
        shutdown_grace_seconds: 20.0,
    }
}

const fn limits() -> RawLimits {
    RawLimits {
        challenges_per_minute: 30,
        challenge_burst: 60,
        network_challenges_per_minute: 240,
        network_challenge_burst: 480,
        open_invoices: 5_000,
        misses_per_minute: 60,
        miss_burst: 120,
        decoders: 2,
        body_memory_bytes: 256 * MIB,
    }
}

fn video() -> RawVideo {
    RawVideo {
        price: RawPrice { fixed: None, per_second: Some(100) },
        models: vec!["Video Generation".into()],
        max_prompt_chars: 2_000,
        body_limit_bytes: 64 * KIB,
        deadline_seconds: 600.0,
        result_limit_bytes: RESULT_LIMIT,
        routes: Vec::new(),
    }
}

const fn model_3d() -> RawModel3d {
    RawModel3d {
        price: RawPrice { fixed: Some(350), per_second: None },
        max_side: 8_192,
        max_pixels: 40_000_000,
        max_alloc_bytes: 128 * 1024 * 1024,
        body_limit_bytes: 16 * MIB,
        deadline_seconds: 900.0,
        result_limit_bytes: RESULT_LIMIT,
        routes: Vec::new(),
    }
}

const fn waiting() -> RawWaiting {
    RawWaiting {
        keepalive_after_seconds: 4.0,
        keepalive_every_seconds: 3.0,
        hold_seconds: 290.0,
        poll_interval_seconds: 2.0,
    }
}

const fn jobs() -> RawJobs {
    RawJobs {
        concurrency: 64,
        lease_seconds: 30.0,
        backoff_base_seconds: 0.5,
        backoff_max_seconds: 30.0,
        poll_interval_seconds: 0.5,
        provider_timeout_seconds: 30.0,
    }
}

fn artifacts() -> RawArtifacts {
    RawArtifacts {
        url: None,
        endpoint: None,
        region: "us-east-1".into(),
        path_style: true,
        access_key_id: None,
        secret_access_key: None,
        serve: RawServe::Gateway,
        redirect_seconds: 3_600.0,
        retention_days: 7,
        sweep_every_seconds: 60.0,
    }
}

fn lightning() -> RawLightning {
    RawLightning {
        backend: RawLightningBackend::Sandbox,
        network: None,
        payee: None,
        invoice_expiry_seconds: 600.0,
        invoice_timeout_seconds: 10.0,
        concurrency: 32,
        require_settled: None,
        settlement_lookups_per_second: 2.0,
        pool: RawPool { size: None, max_age_seconds: None, refill_per_second: 20.0 },
        lnd: RawLnd::default(),
        cln: RawCln::default(),
        phoenixd: RawPhoenixd::default(),
        lnbits: RawLnbits::default(),
        blink: RawBlink { url: "https://api.blink.sv/graphql".into(), api_key: None, wallet_id: None },
        opennode: RawOpenNode { url: "https://api.opennode.com".into(), api_key: None },
        nwc: RawNwc::default(),
        lightning_address: RawLightningAddress::default(),
    }
}
