//! The real binary: started, killed and started again on one folder and one port, with a disk and a clock that obey.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use satforge::planted::Bug;

use crate::dice::pass;
use crate::world::{MODEL, PASSWORD, TOKEN, WEBHOOK_SECRET, World};

/// Seconds that a job may take.
pub const DEADLINE: u64 = 240;
/// How long a start may take when all is well.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long after its start a process may still be at it.
const STARTING: Duration = Duration::from_secs(10);
const SECRET: &str = "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f";

/// What is wrong with the disk; the numbers are those of `shim.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Well = 0,
    Full = 1,
    ReadOnly = 2,
    NoFlush = 3,
}

/// A setting of the gateway's clock.
#[derive(Clone, Copy)]
pub struct ClockSet {
    pub at: Instant,
    /// Milliseconds ahead of the true time.
    pub ahead: i64,
}

pub struct Gateway {
    pub url: String,
    binary: PathBuf,
    config: PathBuf,
    data: PathBuf,
    log: PathBuf,
    shim: PathBuf,
    control: File,
    control_path: PathBuf,
    planted: Option<Bug>,
    child: Option<Child>,
    pub kills: u64,
    disk: Disk,
    /// When the process was started, and whether its disk was broken then or soon after.
    started: (Instant, bool),
    settings: Mutex<Vec<ClockSet>>,
}

impl Gateway {
    /// A gateway in `folder` that buys from `world`; it is not started yet.
    pub fn new(folder: &Path, world: &World, planted: Option<Bug>) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (data, control_path, shim) = (folder.join("data"), folder.join("control"), folder.join("shim.so"));
        std::fs::write(&control_path, [0; 16]).unwrap();
        compile(&shim);
        let config = folder.join("satforge.toml");
        std::fs::write(&config, configuration(&data, port, world)).unwrap();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            binary: binary_in(folder),
            config,
            data,
            log: folder.join("gateway.log"),
            shim,
            control: OpenOptions::new().write(true).open(&control_path).unwrap(),
            control_path,
            planted,
            child: None,
            kills: 0,
            disk: Disk::Well,
            started: (Instant::now(), false),
            settings: Mutex::new(vec![ClockSet { at: Instant::now(), ahead: 0 }]),
        }
    }

    /// A command line of the binary on this gateway's files, with its disk and its clock.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SATFORGE_")) {
            command.env_remove(name);
        }
        command.args(arguments).arg("--config").arg(&self.config).stdin(Stdio::null());
        command.env("CHAOS_KEY", SECRET).env("CHAOS_PHOENIXD", PASSWORD).env("CHAOS_REPLICATE", "r8_key");
        command.env("CHAOS_REPLICATE_WEBHOOKS", WEBHOOK_SECRET).env("CHAOS_COG", TOKEN);
        command.env("CHAOS_CONTROL", &self.control_path).env("CHAOS_DIR", &self.data).env("LD_PRELOAD", &self.shim);
        if let Some(bug) = self.planted {
            command.env("PLANTED_BUG", bug.name());
        }
        command
    }

    /// Starts it and waits until it serves. It may need several tries while its disk fails.
    pub async fn start(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let address = self.url.trim_start_matches("http://").to_owned();
        while began.elapsed() < PATIENCE {
            if self.child.is_none() || self.has_ended() {
                let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
                let child = self.command(&["serve"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
                self.child = Some(child);
                self.started = (Instant::now(), self.disk != Disk::Well);
            }
            if tokio::net::TcpStream::connect(&address).await.is_ok() {
                return Ok(());
            }
            pass(Duration::from_millis(20)).await;
        }
        Err(format!("the gateway does not start; its last words:\n{}", self.last_words(20)))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
            self.kills += 1;
        }
    }

    /// Whether it still runs; it must, unless it was killed.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some())
    }

    /// Whether the disk was broken while the process began.
    pub const fn was_broken_at_start(&self) -> bool {
        self.started.1
    }

    /// Breaks or mends the disk.
    pub fn set_disk(&mut self, disk: Disk) {
        self.disk = disk;
        self.started.1 |= disk != Disk::Well && self.started.0.elapsed() < STARTING;
        self.control.write_all_at(&(disk as i64).to_ne_bytes(), 0).unwrap();
    }

    /// Sets the clock so many milliseconds ahead of the true time.
    pub fn set_clock(&self, ahead: i64) {
        self.control.write_all_at(&ahead.to_ne_bytes(), 8).unwrap();
        self.settings.lock().unwrap().push(ClockSet { at: Instant::now(), ahead });
    }

    /// Every setting of the clock, in order.
    pub fn clock_settings(&self) -> Vec<ClockSet> {
        self.settings.lock().unwrap().clone()
    }

    /// Whether the gateway's own books balance.
    pub fn balance(&self) -> Result<(), String> {
        let said = self.command(&["report"]).output().map_err(|error| error.to_string())?;
        if said.status.success() {
            return Ok(());
        }
        let text = [said.stdout, said.stderr].concat();
        Err(format!("its own report does not balance:\n{}", String::from_utf8_lossy(&text)))
    }

    /// The last lines of the log.
    pub fn last_words(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let all: Vec<_> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary as it is now: somebody may build another one meanwhile.
fn binary_in(folder: &Path) -> PathBuf {
    let (built, kept) = (Path::new(env!("CARGO_BIN_EXE_satforge")), folder.join("satforge"));
    if std::fs::hard_link(built, &kept).is_err() {
        std::fs::copy(built, &kept).unwrap();
    }
    kept
}

fn compile(shim: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/shim.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let made =
        Command::new(compiler).args(["-O1", "-shared", "-fPIC", "-o"]).arg(shim).arg(source).arg("-ldl").status();
    assert!(made.is_ok_and(|status| status.success()), "a C compiler is needed for tests/chaos/shim.c");
}

/// Short pauses, so that much happens in a minute.
fn configuration(data: &Path, port: u16, world: &World) -> String {
    format!(
        "data_dir = '{data}'\n\
         [server]\nlisten = '127.0.0.1:{port}'\nmax_connections_per_address = 0\n\
         max_connections_per_network = 0\n\
         [metrics]\nlisten = 'off'\n\
         [log]\nfilter = 'warn'\n\
         [keys]\nsecrets = ['env:CHAOS_KEY']\n\
         [lightning]\nbackend = 'phoenixd'\ninvoice_timeout_seconds = 2\nsettlement_lookups_per_second = 10\n\
         [lightning.pool]\nsize = 40\nrefill_per_second = 100\n\
         [lightning.phoenixd]\nurl = '{node}'\npassword = 'env:CHAOS_PHOENIXD'\n\
         [paywall]\nredeem_window_seconds = 3600\n\
         [payouts]\npayment_timeout_seconds = 5\nmax_fee_floor_sats = 10\n\
         [services.video]\ndeadline_seconds = {DEADLINE}\n\
         [services.3d-model]\ndeadline_seconds = {DEADLINE}\n\
         [limits]\nchallenges_per_minute = 0\nnetwork_challenges_per_minute = 0\nopen_invoices = 0\nmisses_per_minute = 0\n\
         [waiting]\nkeepalive_after_seconds = 1\nkeepalive_every_seconds = 0.5\nhold_seconds = 6\n\
         [jobs]\nconcurrency = 500\nlease_seconds = 6\nbackoff_base_seconds = 0.1\nbackoff_max_seconds = 2\n\
         poll_interval_seconds = 0.3\nprovider_timeout_seconds = 3\n\
         [providers.films]\nkind = 'replicate'\nurl = '{films}/v1'\napi_key = 'env:CHAOS_REPLICATE'\n\
         webhook_secret = 'env:CHAOS_REPLICATE_WEBHOOKS'\nrequests_per_second = 1000\ntimeout_seconds = 2\n\
         poll_interval_seconds = 0.4\n\
         [[services.video.routes]]\nprovider = 'films'\nmodel = '{MODEL}'\nconcurrency = 400\n\
         input = {{ prompt = '{{prompt}}', seed = '{{seed}}' }}\n\
         [providers.shapes]\nkind = 'cog'\nurl = '{shapes}'\nwebhook_secret = 'env:CHAOS_COG'\n\
         requests_per_second = 1000\ntimeout_seconds = 2\npoll_interval_seconds = 0.4\n\
         [[services.3d-model.routes]]\nprovider = 'shapes'\nconcurrency = 400\nresult = '/model'\n\
         input = {{ image = '{{image_data_uri}}', seed = '{{seed}}' }}\n",
        data = data.display(),
        node = world.node_url(),
        films = world.films_url(),
        shapes = world.shapes_url(),
    )
}
