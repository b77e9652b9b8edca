//! A 9 MB image from its first byte to its challenge, against hashing, unpacking and decoding it alone.

use std::io::Cursor;
use std::time::Instant;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbImage};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use crate::child::Server;
use crate::load;

const SIDE: u32 = 1_735;
const ROUNDS: usize = 9;

pub fn run() {
    let png = noise();
    let body = format!(r#"{{"image":"data:image/png;base64,{}"}}"#, STANDARD.encode(&png));
    let gateway = Server::start("gateway:sandbox");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let request = load::request("/api/l402/3d-model", "", &body);
    let body = Bytes::from(body);
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let status = runtime.block_on(async {
                let mut stream = TcpStream::connect(gateway.address).await.expect("the gateway accepts");
                load::exchange(&mut stream, &request).await.0
            });
            assert_eq!(status, 402);
            (began.elapsed().as_secs_f64() * 1e3, alone(&body) * 1e3)
        })
        .collect();
    rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (whole, alone) = rounds[ROUNDS / 2];
    println!(
        "{:.1} MB image: {whole:.0} ms to the challenge against {alone:.0} ms alone, ratio {:.2}",
        png.len() as f64 / 1e6,
        alone / whole
    );
}

/// The work that cannot be left out.
fn alone(body: &[u8]) -> f64 {
    let began = Instant::now();
    std::hint::black_box(Sha256::digest(body));
    let start = body.iter().position(|b| *b == b',').expect("a data URI") + 1;
    let file = STANDARD.decode(&body[start..body.len() - 2]).expect("base64");
    std::hint::black_box(image::load_from_memory(&file).expect("an image"));
    began.elapsed().as_secs_f64()
}

/// Noise does not compress: the file is as large as its pixels.
fn noise() -> Vec<u8> {
    let pixels = RgbImage::from_fn(SIDE, SIDE, |_, _| image::Rgb(rand::random()));
    let mut file = Cursor::new(Vec::new());
    pixels.write_to(&mut file, ImageFormat::Png).expect("it is encoded");
    file.into_inner()
}
