//! A configuration for the real binary, made from the example, and the product that it leads to.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use axum::middleware::{Next, from_fn};
use satforge::lightning::Network;
use tempfile::TempDir;
use toml::{Table, Value};
use url::Url;

use crate::node::Node;
use crate::scripted::Asked;
use crate::stub::{self, Product, Setting};
use crate::tls::{self, Certificates};

const EXAMPLE: &str = include_str!("../../../satforge.example.toml");
/// Where the example and the documentation keep files.
const FOLDER: &str = "/etc/satforge";

/// What a product answers in place of what it would; `None`: what it would.
pub type Says = Arc<dyn Fn(&Asked) -> Option<Response<Body>> + Send + Sync>;

pub struct Shop {
    pub node: Arc<Node>,
    /// Of the product, if it has some.
    pub certificates: Option<Certificates>,
    folder: TempDir,
    configuration: Table,
}

impl Shop {
    /// The product, and a configuration whose section `backend` is that of the example with all of its keys.
    pub async fn open<P: Product>(backend: &str, says: Option<Says>) -> Self {
        let node = Arc::new(Node::of::<P>());
        let certified = |(_, setting): &(&str, Setting)| matches!(setting, Setting::Certificate);
        let somewhere = "http://127.0.0.1/".parse().unwrap();
        let certificates = P::settings(&somewhere).iter().any(certified).then(Certificates::new);
        let url = serve::<P>(&node, certificates.as_ref(), says).await;
        let configuration = Table::from_iter([("lightning".to_owned(), Value::Table(Table::new()))]);
        let mut shop = Self { node, certificates, folder: tempfile::tempdir().unwrap(), configuration };
        shop.fill(backend, P::settings(&url));
        shop.fill_the_rest(backend, P::NETWORK);
        shop
    }

    fn fill(&mut self, backend: &str, settings: Vec<(&'static str, Setting)>) {
        let mut shown = section(backend);
        for (key, setting) in settings {
            let shown = shown.remove(key).unwrap_or_else(|| panic!("the example has no lightning.{backend}.{key}"));
            let path = format!("lightning.{backend}.{key}");
            match setting {
                Setting::Value(value) => self.set(&path, value),
                Setting::Credential(bytes) => {
                    self.set(&path, self.here(shown.as_str().unwrap()));
                    self.put(&path, &bytes, 0o600);
                }
                Setting::Certificate => {
                    self.set(&path, self.here(shown.as_str().unwrap()));
                    let pem = self.certificates.as_ref().unwrap().server.pem();
                    self.put(&path, pem.as_bytes(), 0o644);
                }
                Setting::Absent => {}
            }
        }
        assert!(shown.is_empty(), "the product says nothing about {shown:?}");
    }

    fn fill_the_rest(&mut self, backend: &str, network: Network) {
        self.set("lightning.backend", backend);
        if matches!(backend, "lightning_address" | "opennode") {
            // Neither can pay, whatever its credentials are.
            self.set("refunds", "manual");
        }
        self.set("lightning.network", network.to_string());
        self.set("sandbox.rehearsal", network == Network::Bitcoin);
        self.set("sandbox.generation_seconds", 0);
        self.set("server.listen", "127.0.0.1:0");
        self.set("metrics.listen", "off");
        self.set("data_dir", self.here(&format!("{FOLDER}/data")));
        self.set("keys.secrets", vec![self.here(&format!("file:{FOLDER}/gateway.key"))]);
        write(&self.folder.path().join("gateway.key"), "07".repeat(32).as_bytes(), 0o600);
    }

    /// A path of the documentation, in this shop's folder.
    pub fn here(&self, documented: &str) -> String {
        documented.replace(FOLDER, self.folder.path().to_str().unwrap())
    }

    /// What was printed, with the paths of the documentation.
    pub fn as_documented(&self, printed: &[u8]) -> String {
        let printed = std::str::from_utf8(printed).unwrap();
        printed.replace(self.folder.path().to_str().unwrap(), FOLDER)
    }

    /// Sets the key with this path.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let (table, key) = self.place(path);
        table.insert(key, value.into());
    }

    pub fn remove(&mut self, path: &str) {
        let (table, key) = self.place(path);
        table.remove(&key).unwrap();
    }

    /// The text of the key with this path.
    pub fn text(&mut self, path: &str) -> String {
        let (table, key) = self.place(path);
        table[&key].as_str().unwrap().to_owned()
    }

    /// Replaces the file that the key with this path refers to.
    pub fn put(&mut self, path: &str, content: &[u8], mode: u32) {
        write(&self.file_of(path), content, mode);
    }

    pub fn file_of(&mut self, path: &str) -> PathBuf {
        let text = self.text(path);
        PathBuf::from(text.strip_prefix("file:").unwrap_or(&text))
    }

    fn place(&mut self, path: &str) -> (&mut Table, String) {
        let mut parts: Vec<&str> = path.split('.').collect();
        let key = parts.pop().unwrap().to_owned();
        let mut table = &mut self.configuration;
        for part in parts {
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = inner.as_table_mut().unwrap();
        }
        (table, key)
    }

    /// Writes the configuration, and returns the path of its file.
    pub fn file(&self) -> String {
        let path = self.folder.path().join("satforge.toml");
        std::fs::write(&path, toml::to_string(&self.configuration).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A backend's section of the example, with the keys that it shows as comments.
fn section(backend: &str) -> Table {
    let head = format!("[lightning.{backend}]\n");
    let (_, rest) = EXAMPLE.split_once(&head).unwrap_or_else(|| panic!("the example has no {head}"));
    let section = rest.split("\n[").next().unwrap();
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    section.lines().map(uncomment).collect::<String>().parse().unwrap()
}

fn write(path: &Path, content: &[u8], mode: u32) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn serve<P: Product>(node: &Arc<Node>, certificates: Option<&Certificates>, says: Option<Says>) -> Url {
    if certificates.is_none() && says.is_none() {
        return P::serve(node.clone()).await;
    }
    let says = says.unwrap_or_else(|| Arc::new(|_| None));
    let api = stub::misbehaving::<P>(node.clone()).layer(from_fn(move |request: Request, next: Next| {
        let says = says.clone();
        async move {
            let (parts, body) = request.into_parts();
            let asked = Asked::read(&parts, body).await;
            match says(&asked) {
                Some(said) => said,
                None => next.run(Request::from_parts(parts, Body::from(asked.body))).await,
            }
        }
    }));
    match certificates {
        Some(certificates) => format!("https://127.0.0.1:{}/", tls::serve(api, certificates).await).parse().unwrap(),
        None => stub::serve(api).await,
    }
}
