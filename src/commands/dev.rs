//! `satforge dev`: the sandbox, and what to paste first.

use satforge::app::App;
use satforge::config::{Config, DevOptions};
use satforge::http::pages::snippets;

/// The lines around the commands to paste.
const FROM: &str = "---- paste from here ----";
const TO: &str = "---- to here ----";

/// Serves until the process is asked to stop.
pub async fn run(options: DevOptions) -> anyhow::Result<()> {
    super::run_until_signal(Config::dev(options)?, welcome).await
}

#[expect(clippy::print_stdout, reason = "a newcomer reads this first")]
fn welcome(app: &App) {
    let url = &app.public_url;
    println!("satforge {} sells at {url}", env!("CARGO_PKG_VERSION"));
    println!("Payments and models are simulated here: nothing costs anything.");
    println!();
    println!("  {url}/               what is sold, and what it costs");
    println!("  {url}/l402/video     how to buy a video");
    println!("  {url}/l402/3d-model  how to buy a 3D model");
    if let Some(metrics) = app.metrics_address {
        println!("  http://{metrics}/metrics  for Prometheus");
    }
    let Some(service) = app.gateway.site.services.first() else { return };
    let Ok(purchase) = snippets::one_paste(&app.gateway.site, service) else { return };
    println!();
    println!("Buy a video now, in another terminal:");
    println!();
    println!("{FROM}");
    println!("{}", purchase.trim_end());
    println!("{TO}");
    println!();
}
