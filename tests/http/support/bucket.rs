//! A bucket that speaks as much of S3 as the gateway needs, keeps its files in memory, and can be away.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tempfile::TempDir;

use super::{Setup, within};

const NAME: &str = "results-bucket";
const DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
/// Larger than a part of an upload.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The server. It ends with the test's runtime.
pub struct Bucket {
    address: std::net::SocketAddr,
    state: Shared,
    key: TempDir,
}

type Shared = Arc<Mutex<Inner>>;

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    begun: usize,
    refused: usize,
    looks: usize,
    is_away: bool,
    loses_answers: bool,
}

impl Bucket {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Shared::default();
        let router = Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(state.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = tempfile::tempdir().expect("a folder");
        let file = key.path().join("key");
        std::fs::write(&file, "not looked at").expect("a file");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a private file");
        Self { address, state, key }
    }

    /// A gateway that keeps its results here, below `prefix`.
    pub fn setup(&self, prefix: &str) -> Setup {
        let key = format!("file:{}", self.key.path().join("key").display());
        Setup::new()
            .real_time()
            .set("ARTIFACTS__URL", format!("s3://{NAME}/{prefix}"))
            .set("ARTIFACTS__ENDPOINT", format!("http://{}", self.address))
            .set("ARTIFACTS__ACCESS_KEY_ID", &key)
            .set("ARTIFACTS__SECRET_ACCESS_KEY", &key)
    }

    /// Where it is, without a slash at its end.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every request is answered with 503.
    pub fn leave(&self) {
        self.inner().is_away = true;
    }

    pub fn come_back(&self) {
        self.inner().is_away = false;
    }

    /// From now on whoever makes an upload whole, or writes a result in one request, is told that it failed.
    pub fn lose_answers(&self) {
        self.inner().loses_answers = true;
    }

    /// Requests that were answered with 503.
    pub fn refused(&self) -> usize {
        self.inner().refused
    }

    /// How often somebody has read whose a prefix is.
    pub fn looks(&self) -> usize {
        self.inner().looks
    }

    /// The keys of all files.
    pub fn keys(&self) -> Vec<String> {
        self.inner().files.keys().cloned().collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.inner().files.contains_key(key)
    }

    pub fn file(&self, key: &str) -> Option<Bytes> {
        self.inner().files.get(key).cloned()
    }

    pub fn put(&self, key: &str, bytes: &'static [u8]) {
        self.inner().files.insert(key.to_owned(), Bytes::from_static(bytes));
    }

    pub fn remove(&self, key: &str) {
        self.inner().files.remove(key);
    }

    /// Begins an upload in parts that nobody knows of, and hands back what it is called.
    pub fn begin_upload(&self) -> String {
        self.inner().begin()
    }

    /// Uploads that were neither finished nor given up.
    pub fn unfinished(&self) -> usize {
        self.inner().uploads.len()
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        let looking = async {
            while !holds(self) {
                looks.tick().await;
            }
        };
        within(what, looking).await;
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }
}

async fn serve(State(state): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let path = parts.uri.path().trim_start_matches('/');
    let key = path.strip_prefix(NAME).unwrap_or_default().trim_start_matches('/');
    let mut inner = state.lock().unwrap();
    if inner.is_away {
        inner.refused += 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let upload = query.get("uploadId");
    match (parts.method, upload) {
        (Method::GET, _) if key.is_empty() => inner.list(query.get("prefix").map_or("", String::as_str)),
        (Method::GET | Method::HEAD, _) => {
            inner.looks += usize::from(key.ends_with("owner"));
            inner.read(key)
        }
        (Method::PUT, Some(upload)) => inner.put_part(upload, query["partNumber"].parse().unwrap(), body),
        (Method::PUT, None) if parts.headers.contains_key(header::IF_NONE_MATCH) && inner.files.contains_key(key) => {
            StatusCode::PRECONDITION_FAILED.into_response()
        }
        (Method::PUT, None) => inner.write(key, body),
        (Method::POST, None) => {
            let upload = inner.begin();
            xml(&format!(
                "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        (Method::POST, Some(upload)) => inner.complete(key, upload),
        (Method::DELETE, Some(upload)) => match inner.uploads.remove(upload) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => missing("NoSuchUpload"),
        },
        (Method::DELETE, None) => {
            inner.files.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

impl Inner {
    fn begin(&mut self) -> String {
        self.begun += 1;
        let upload = format!("upload-{}", self.begun);
        self.uploads.insert(upload.clone(), BTreeMap::new());
        upload
    }

    fn read(&self, key: &str) -> Response {
        match self.files.get(key) {
            Some(file) => ([(header::LAST_MODIFIED, DATE), (header::ETAG, "\"e\"")], file.clone()).into_response(),
            None => missing("NoSuchKey"),
        }
    }

    fn list(&self, prefix: &str) -> Response {
        let mut found = String::from("<ListBucketResult>");
        for (key, file) in self.files.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let (size, date) = (file.len(), "2027-01-15T08:00:00.000Z");
            write!(
                found,
                "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{date}</LastModified></Contents>"
            )
            .unwrap();
        }
        found.push_str("</ListBucketResult>");
        xml(&found)
    }

    fn put_part(&mut self, upload: &str, number: u32, body: Bytes) -> Response {
        match self.uploads.get_mut(upload) {
            Some(parts) => {
                parts.insert(number, body);
                ([(header::ETAG, format!("\"{number}\""))]).into_response()
            }
            None => missing("NoSuchUpload"),
        }
    }

    fn complete(&mut self, key: &str, upload: &str) -> Response {
        let Some(parts) = self.uploads.remove(upload) else { return missing("NoSuchUpload") };
        let whole: Vec<Bytes> = parts.into_values().collect();
        self.files.insert(key.to_owned(), whole.concat().into());
        if self.loses_answers {
            return StatusCode::BAD_REQUEST.into_response();
        }
        xml("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
    }

    fn write(&mut self, key: &str, body: Bytes) -> Response {
        self.files.insert(key.to_owned(), body);
        if self.loses_answers && key.contains("results/") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        ([(header::ETAG, "\"e\"")]).into_response()
    }
}

fn xml(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], text.to_owned()).into_response()
}

fn missing(code: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("<Error><Code>{code}</Code></Error>")).into_response()
}
