//! Requests and responses byte by byte, for what no HTTP library sends or shows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

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

    /// From an address of this machine's own: all that begin with 127 are.
    pub async fn open_from(app: &TestApp, address: [u8; 4]) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("an address of this machine");
        Self(socket.connect(app.address()).await.expect("a connection"))
    }

    /// Whether the gateway answers `request` with `wanted` before it ends the connection.
    pub async fn try_ask(&mut self, request: &str, wanted: &str) -> bool {
        let mut seen = Vec::new();
        let asking = async {
            if self.0.write_all(request.as_bytes()).await.is_err() {
                return false;
            }
            loop {
                match self.0.read_buf(&mut seen).await {
                    Ok(0) | Err(_) => return false,
                    Ok(_) if String::from_utf8_lossy(&seen).contains(wanted) => return true,
                    Ok(_) => {}
                }
            }
        };
        within(wanted, asking).await
    }

    /// Writes until the gateway does not take it any more, and has ended the connection.
    pub async fn write_on(&mut self, bytes: impl AsRef<[u8]>) {
        let writing = async { while self.0.write_all(bytes.as_ref()).await.is_ok() {} };
        within("the end of a connection", writing).await;
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
    /// The status, and the error code where there is one.
    pub fn outcome(&self) -> (u16, &str) {
        let status = self.status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), self.header("x-error-code"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl TestApp {
    /// The answer to a request that is written as it stands, from an address of this machine's own.
    pub async fn raw_from(&self, address: [u8; 4], request: impl AsRef<[u8]>) -> RawAnswer {
        let mut connection = RawConnection::open_from(self, address).await;
        connection.write(request).await;
        connection.read_answer().await
    }

    /// The answer to a request that is written as it stands.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> RawAnswer {
        let mut connection = RawConnection::open(self).await;
        connection.write(request).await;
        connection.read_answer().await
    }
}
