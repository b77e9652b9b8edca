//! The servers under load: processes of their own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use satforge::app::App;
use satforge::clock::{Clock, SystemClock};
use satforge::telemetry::LogWriter;
use satforge::{shutdown, telemetry};

use crate::setup;

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// What a server has used so far.
#[derive(Clone, Copy)]
pub struct Usage {
    /// CPU time, in seconds.
    pub cpu: f64,
    /// Resident memory, in bytes.
    pub resident: u64,
}

impl Server {
    /// Starts this program again as `role`.
    pub fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .arg(format!("--child={role}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        stdout.read_line(&mut line).expect("it prints its address");
        // Log lines must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self { child, address: line.trim().parse().expect("an address") }
    }

    /// Reads `/proc`.
    pub fn usage(&self) -> Usage {
        const TICKS_PER_SECOND: f64 = 100.0;
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the child runs, on Linux")
        };
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().expect("a number")).sum();
        let resident = read("status")
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .expect("the kernel tells the resident set");
        Usage { cpu: ticks / TICKS_PER_SECOND, resident: resident * 1_024 }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child does: prints its address and serves until it is killed.
pub fn serve(role: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        match role.split_once(':') {
            Some(("bare", bytes)) => bare(bytes.parse().expect("a number of bytes")).await,
            Some(("gateway", backend)) => gateway(backend).await,
            _ => println!("unknown role {role}"),
        }
    });
}

/// The baseline: reads the body and answers with as many bytes.
async fn bare(bytes: usize) {
    let answer = Bytes::from(vec![b'x'; bytes]);
    let handler = move |body: Bytes| {
        let answer = answer.clone();
        async move {
            std::hint::black_box(body.len());
            answer
        }
    };
    let router = Router::new().route("/api/l402/video", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("an address"));
    axum::serve(listener, router).await.expect("it serves");
}

async fn gateway(backend: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let config = setup::config(dir.path(), &[]);
    // As in production: every request is logged and measured.
    let (log, _guard) = LogWriter::start(std::io::stdout()).expect("a thread starts");
    telemetry::start_logging(&config.log, log).expect("logging starts");
    telemetry::metrics().expect("metrics start");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let app = match backend {
        "presigned" => {
            let backends = setup::presigned(&config, &clock);
            App::start_with(config, clock, backends).await
        }
        _ => App::start(config, clock).await,
    };
    let app = app.expect("the gateway starts");
    println!("{}", app.address);
    shutdown::signals().expect("signals arrive").await;
}
