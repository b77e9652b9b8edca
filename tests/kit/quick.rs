//! A configuration whose pauses are short.

use std::path::Path;
use std::time::Duration;

use satforge::config::{Config, DevOptions, Environment};

/// Short pauses, so that tests are quick; a lease and a timeout that no test meets by accident.
pub fn config(data_dir: &Path) -> Config {
    let settings = Environment::from_iter([("SATFORGE_METRICS__LISTEN", "off")]);
    let options = DevOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        data_dir: Some(data_dir.to_owned()),
        ..DevOptions::default()
    };
    let mut config = Config::dev_in(options, &settings).unwrap();
    config.jobs.poll_interval = Duration::from_millis(5);
    config.jobs.backoff_base = Duration::from_millis(10);
    config.jobs.backoff_max = Duration::from_millis(50);
    config.jobs.lease = Duration::from_mins(10);
    config.jobs.provider_timeout = Duration::from_mins(10);
    config
}
