//! What survives the gateway: a Lightning node and two providers of models, each behind a real product's API.

mod films;
mod heralds;
pub mod node;
mod phoenixd;
mod shapes;
pub mod weather;
pub mod works;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use satforge::clock::{Clock as _, SystemClock};

use crate::client;

use node::Node;
use weather::Weather;
use works::Works;

pub use films::{MODEL, WEBHOOK_SECRET};
pub use phoenixd::PASSWORD;
pub use shapes::TOKEN;

/// How long a server of 3D models takes to start.
const COG_STARTS: Duration = Duration::from_millis(1_500);

pub struct World {
    pub seed: u64,
    pub weather: Weather,
    pub node: Node,
    pub films: Works,
    pub shapes: Works,
    /// How often the server of 3D models was started, and when last.
    cog_process: Mutex<(u64, Option<Instant>)>,
    /// Buyers, wallets and webhooks come from here.
    pub client: reqwest::Client,
    urls: OnceLock<[String; 3]>,
}

impl World {
    /// Starts it, on free ports of this machine.
    pub async fn start(seed: u64) -> Arc<Self> {
        // A pooled connection to a dead process must not be taken for a live one.
        let client = client::builder().timeout(Duration::from_secs(30)).pool_max_idle_per_host(0).build().unwrap();
        let world = Arc::new(Self {
            seed,
            weather: Weather::new(seed),
            node: Node::new(seed),
            films: Works::new(seed, "film"),
            shapes: Works::new(seed, "shape"),
            cog_process: Mutex::new((1, None)),
            client,
            urls: OnceLock::new(),
        });
        let node = serve(phoenixd::api(world.clone())).await;
        let films = serve(films::api(world.clone())).await;
        let shapes = serve(shapes::api(world.clone())).await;
        world.urls.set([node, films, shapes]).unwrap();
        world
    }

    fn urls(&self) -> &[String; 3] {
        self.urls.get().unwrap()
    }

    pub fn node_url(&self) -> &str {
        &self.urls()[0]
    }

    pub fn films_url(&self) -> &str {
        &self.urls()[1]
    }

    pub fn shapes_url(&self) -> &str {
        &self.urls()[2]
    }

    /// Unix seconds by the true clock.
    #[expect(clippy::unused_self, reason = "it is the world's time, and not the gateway's")]
    pub fn now(&self) -> u64 {
        SystemClock.unix_seconds()
    }

    /// Which process of the server of 3D models runs, and whether it is still starting.
    pub fn cog_process(&self) -> (u64, bool) {
        let (number, since) = *self.cog_process.lock().unwrap_or_else(PoisonError::into_inner);
        (number, since.is_some_and(|since| since.elapsed() < COG_STARTS))
    }

    /// The server of 3D models is started again.
    pub fn restart_cog(&self) {
        let mut process = self.cog_process.lock().unwrap_or_else(PoisonError::into_inner);
        *process = (process.0 + 1, Some(Instant::now()));
        self.shapes.forget_untold();
        self.weather.count("provider-restarted");
    }
}

async fn serve(api: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "it ends with the process")]
    tokio::spawn(async move { axum::serve(listener, api).await.unwrap() });
    url
}
