//! A gateway that is killed and started again on the same folder.

use std::path::{Path, PathBuf};

use crate::kit::buyer::{Answer, Buyer, Purchase};
use crate::kit::process::Gateway;
use crate::kit::rows::Rows;

/// Settings under which generations do not end.
pub const ENDLESS: &[(&str, &str)] =
    &[("SATFORGE_SANDBOX__GENERATION_SECONDS", "3600"), ("SATFORGE_JOBS__POLL_INTERVAL_SECONDS", "0.02")];
/// Settings under which they take no time.
pub const INSTANT: &[(&str, &str)] =
    &[("SATFORGE_SANDBOX__GENERATION_SECONDS", "0"), ("SATFORGE_JOBS__POLL_INTERVAL_SECONDS", "0.02")];

/// How long a result is waited for: less than a lease, so that nobody can have waited for the dead process's to run out.
pub const SOON: &str = "wait=25";

/// A data directory and whoever buys from the gateways that run on it.
pub struct Scene {
    pub buyer: Buyer,
    folder: tempfile::TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self { buyer: Buyer::new(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self, settings: &[(&str, &str)]) -> Gateway {
        Gateway::dev(self.data_dir(), settings)
    }

    pub async fn rows(&self) -> Rows {
        Rows::open(self.data_dir()).await
    }

    /// Buys with `body` and does not wait for the result.
    pub async fn buy(&self, gateway: &Gateway, path: &'static str, body: Vec<u8>) -> Purchase {
        let purchase = self.buyer.pay(&gateway.url, path, body).await;
        let answer = self.buyer.present(&gateway.url, &purchase, "respond-async").await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        purchase
    }

    /// The generations that the sandbox remembers, by id.
    pub fn generations(&self) -> Vec<String> {
        let names = self.list("sandbox").into_iter();
        names.filter_map(|path| Some(file_name(&path).strip_suffix(".json")?.to_owned())).collect()
    }

    /// Makes the sandbox forget everything, as if nothing had ever arrived.
    pub fn forget_generations(&self) {
        self.list("sandbox").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    /// The names of the files in a folder of the data directory.
    pub fn names(&self, folder: &str) -> Vec<String> {
        self.list(folder).iter().map(|path| file_name(path)).collect()
    }

    fn list(&self, folder: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.data_dir().join(folder)) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// After the restart: the credential gets its result, `creates` creates were sent since, and the job is one.
    pub async fn expect_result(&self, gateway: &Gateway, purchase: &Purchase, creates: u64) -> Answer {
        let answer = self.buyer.present(&gateway.url, purchase, SOON).await;
        let path = answer.result_path();
        let file = self.buyer.get(&format!("{}{path}", gateway.url)).await;
        assert_eq!(file.status(), 200);
        let file = file.bytes().await.unwrap();
        assert!(file.starts_with(b"glTF") || &file[4..8] == b"ftyp", "the result is a file of its kind");
        assert_eq!(self.creates(gateway).await, creates, "creates that this process sent");
        let mut rows = self.rows().await;
        assert_eq!(rows.job().await.state, "succeeded");
        assert_eq!(rows.refunds().await, [] as [i64; 0], "nothing is owed for what was delivered");
        let again = self.buyer.present(&gateway.url, purchase, "").await;
        assert_eq!(again.json, answer.json, "presented again, it answers the same");
        answer
    }

    /// How many creates this process has sent.
    pub async fn creates(&self, gateway: &Gateway) -> u64 {
        let metrics = self.buyer.get(gateway.metrics_url()).await.text().await.unwrap();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix("satforge_dispatches_total{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
