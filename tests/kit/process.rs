//! The real binary.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::{PATIENCE, until};

/// A command line of the real binary, without any setting of the machine that the test runs on.
pub fn satforge(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_satforge"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SATFORGE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    finish(&mut satforge(arguments))
}

/// Runs a command to its end, which must come: one that serves although it should refuse is killed.
pub fn finish(command: &mut Command) -> Output {
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    let (sender, output) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    output.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("{command:?} does not end");
        },
        Result::unwrap,
    )
}

/// A gateway that runs until it is stopped, killed or dropped.
pub struct Gateway {
    /// Where callers connect.
    pub url: String,
    /// What it printed until it served.
    pub welcome: String,
    child: Child,
    // Keeps the pipe open and empty.
    _rest: Receiver<String>,
}

impl Gateway {
    /// `satforge dev` on a free port, with these settings.
    pub fn dev(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let data_dir = data_dir.to_str().unwrap();
        Self::start(
            satforge(&["dev", "--listen", "127.0.0.1:0", "--data-dir", data_dir]).envs(settings.iter().copied()),
        )
    }

    /// Starts `command` and waits until it serves.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Lines after the welcome are read and forgotten.
                let _ = sender.send(line);
            }
        });
        let mut welcome = String::new();
        let url = loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = child.kill();
                let mut said = String::new();
                let _ = child.stderr.take().unwrap().read_to_string(&mut said);
                panic!("the gateway did not start: {said}{welcome}");
            };
            welcome.push_str(&line);
            welcome.push('\n');
            if let Some((_, url)) = line.split_once("server.public_url=") {
                break url.split_whitespace().next().unwrap().trim_matches('"').to_owned();
            }
        };
        Self { url, welcome, child, _rest: lines }
    }

    /// The URL of its metrics.
    pub fn metrics_url(&self) -> &str {
        let line = self.welcome.lines().find(|line| line.contains("/metrics")).unwrap();
        line.split_whitespace().next().unwrap()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it politely to stop.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the gateway ends", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
