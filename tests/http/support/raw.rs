//! Requests and responses byte by byte, for what no HTTP library sends or shows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{TestApp, within};

/// A connection that speaks what it is told.
pub struct RawConnection(TcpStream);

/// A response as it came over the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub status_line: String,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawConnection {
    pub async fn open(app: &TestApp) -> Self {
        Self(TcpStream::connect(app.address()).await.expect("a connection"))
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("a peer that reads");
    }

    /// Reads until what was read holds `wanted`; what has come so far is handed back.
    pub async fn read_until(&mut self, wanted: &str) -> String {
        let mut seen = Vec::new();
        let reading = async {
            loop {
                let text = String::from_utf8_lossy(&seen).into_owned();
                if text.contains(wanted) {
                    return text;
                }
                let read = self.0.read_buf(&mut seen).await.expect("a peer that writes");
                assert!(read > 0, "the connection ended before {wanted:?}: {text:?}");
            }
        };
        within(wanted, reading).await
    }

    /// Returns when the gateway has closed the connection, whatever it said before.
    pub async fn closed(mut self) {
        let mut said = Vec::new();
        // A reset is an end as well.
        let _ = within("the end of a connection", self.0.read_to_end(&mut said)).await;
    }

    /// Reads the response and waits until the gateway closes the connection.
    pub async fn read_answer(mut self) -> RawAnswer {
        let mut bytes = Vec::new();
        within("the end of a response", self.0.read_to_end(&mut bytes)).await.expect("a response");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let end = text.find("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let mut lines = text[..end].split("\r\n");
        let status_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        RawAnswer { status_line, headers, body: bytes[end + 4..].to_vec() }
    }
}

impl RawAnswer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl TestApp {
    /// The answer to a request that is written as it stands.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> RawAnswer {
        let mut connection = RawConnection::open(self).await;
        connection.write(request).await;
        connection.read_answer().await
    }
}
