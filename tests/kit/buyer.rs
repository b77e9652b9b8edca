//! A caller with a wallet.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// Somebody who buys.
pub struct Buyer {
    client: Client,
}

/// A paid challenge: what to present, and with which bytes.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub path: &'static str,
    pub body: Vec<u8>,
    /// The value of the `Authorization` header.
    pub credential: String,
    /// Hexadecimal.
    pub payment_hash: String,
}

/// A status and the JSON that came with it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

pub const VIDEO: &str = "/api/l402/video";
pub const MODEL: &str = "/api/l402/3d-model";

/// The body of a five-second video.
pub fn video(prompt: &str) -> Vec<u8> {
    json!({"model": "Video Generation", "prompt": prompt}).to_string().into_bytes()
}

/// The body of a 3D model of a picture with `side` pixels a side; noise, so that it does not compress.
pub fn model(side: u32) -> Vec<u8> {
    use base64::Engine as _;
    let mut noise = 1_u32;
    let picture = image::RgbImage::from_fn(side, side, |_, _| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, r, g, b] = noise.to_be_bytes();
        image::Rgb([r, g, b])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(png.into_inner());
    json!({"image": format!("data:image/png;base64,{text}")}).to_string().into_bytes()
}

impl Buyer {
    pub fn new() -> Self {
        // A client of its own for each buyer: a pooled connection to a dead process must not be taken for a live one.
        let client =
            super::client::builder().timeout(Duration::from_mins(5)).pool_max_idle_per_host(0).build().unwrap();
        Self { client }
    }

    /// Asks for a price and pays it with the sandbox's wallet.
    pub async fn pay(&self, url: &str, path: &'static str, body: Vec<u8>) -> Purchase {
        let challenge = self.ask(url, path, &body).await;
        let invoice = json!({"invoice": challenge["invoice"]}).to_string().into_bytes();
        let paid: Value = self.post(url, "/sandbox/pay", &invoice).send().await.unwrap().json().await.unwrap();
        Purchase::paid(path, body, &challenge, paid["preimage"].as_str().unwrap())
    }

    /// Asks for a price, and returns the challenge.
    pub async fn ask(&self, url: &str, path: &'static str, body: &[u8]) -> Value {
        let response = self.post(url, path, body).send().await.unwrap();
        assert_eq!(response.status(), 402, "an unpaid request is answered with a challenge");
        response.json().await.unwrap()
    }

    /// Presents a credential; `prefer` is the `Prefer` header, or empty.
    pub async fn present(&self, url: &str, purchase: &Purchase, prefer: &str) -> Answer {
        let response = self.begin(url, purchase, prefer).await;
        let status = response.status().as_u16();
        Answer { status, json: response.json().await.unwrap() }
    }

    /// Presents a credential and returns as soon as the response begins.
    pub async fn begin(&self, url: &str, purchase: &Purchase, prefer: &str) -> Response {
        let mut request = self.post(url, purchase.path, &purchase.body).header(AUTHORIZATION, &purchase.credential);
        if !prefer.is_empty() {
            request = request.header("Prefer", prefer);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    fn post(&self, url: &str, path: &str, body: &[u8]) -> RequestBuilder {
        self.client.post(format!("{url}{path}")).header(CONTENT_TYPE, "application/json").body(body.to_vec())
    }
}

impl Purchase {
    /// What to present when the invoice of `challenge` was paid; `preimage` is hexadecimal.
    pub fn paid(path: &'static str, body: Vec<u8>, challenge: &Value, preimage: &str) -> Self {
        let credential = format!("L402 {}:{preimage}", challenge["macaroon"].as_str().unwrap());
        let payment_hash = challenge["payment_hash"].as_str().unwrap().to_owned();
        Self { path, body, credential, payment_hash }
    }
}

impl Answer {
    /// The path of the result's URL; the port changes with every start.
    pub fn result_path(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.json);
        let url = self.json["videoUrl"].as_str().or(self.json["modelUrl"].as_str()).unwrap_or_else(|| {
            panic!("no result in {}", self.json);
        });
        url[url.find("/artifacts/").unwrap()..].to_owned()
    }

    /// The failure that a paid request ended in; it must say what is owed.
    pub fn owed(&self, status: u16, code: &str, sats: u64) {
        assert_eq!((self.status, self.json["error_code"].as_str()), (status, Some(code)), "{}", self.json);
        let refund = &self.json["refund"];
        assert_eq!((&refund["status"], &refund["amount_sats"]), (&json!("available"), &json!(sats)), "{}", self.json);
    }
}
