//! Real connections to small servers on this machine, which stand in for hosts of the open internet.

mod places;
mod resume;
mod size;

use futures_util::StreamExt as _;

use super::*;
use crate::egress::tests::stub::{Reply, Stub, Then, header};

/// A name that leads to a stub as if it were in the open internet.
const FILES: &str = "files.example";
const OTHER: &str = "other.example";
const LIMIT: u64 = 1024 * 1024;

const LIMITS: Limits =
    Limits { head: Duration::from_secs(10), idle: Duration::from_secs(10), pause: Duration::from_millis(1) };

fn patterns(hosts: &[String]) -> Vec<HostPattern> {
    hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect()
}

/// A downloader that takes `names` for names of the open internet.
fn downloader(places: Places, limits: Limits, names: &[(&str, &Stub)]) -> Downloader {
    let certificates = names.iter().flat_map(|(_, stub)| &stub.trust).flat_map(|trust| match trust {
        Trust::Only(certificates) => certificates.clone(),
        Trust::System => Vec::new(),
    });
    let trust = Trust::Only(certificates.collect());
    let adapt = |builder: reqwest::ClientBuilder| {
        names.iter().fold(builder, |builder, (name, stub)| builder.resolve(name, stub.address))
    };
    Downloader::trusting(&trust, places, limits, &adapt).unwrap()
}

/// For one server of the open internet, and where it stands.
fn public(stub: &Stub, limits: Limits) -> (Downloader, String) {
    let places = Places::public(patterns(&[format!("{FILES}:{}", stub.port())]));
    (downloader(places, limits, &[(FILES, stub)]), format!("https://{FILES}:{}/secret?key=c0ffee", stub.port()))
}

/// What comes of a download, and how it ends.
async fn read(mut download: Download) -> (Vec<u8>, Option<DownloadError>) {
    let mut bytes = Vec::new();
    while let Some(chunk) = download.stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => {
                assert!(download.stream.next().await.is_none(), "nothing comes after an error");
                return (bytes, Some(*error.downcast().unwrap()));
            }
        }
    }
    (bytes, None)
}

/// What a server gives, opened and read.
async fn fetched(stub: &Stub, limits: Limits) -> (Vec<u8>, Option<DownloadError>) {
    let (downloader, url) = public(stub, limits);
    read(downloader.open(&url, None, LIMIT).await.unwrap()).await
}

async fn refusal(downloader: &Downloader, url: &str) -> DownloadError {
    let error = downloader.open(url, None, LIMIT).await.unwrap_err();
    let said = format!("{error} {error:?} {downloader:?}");
    assert!(!said.contains("secret") && !said.contains("c0ffee"), "{said}");
    error
}

/// Bytes of which no two ranges are the same.
fn data(size: u32) -> Vec<u8> {
    (0..=size / 4).flat_map(u32::to_le_bytes).take(size as usize).collect()
}
