//! What somebody at a terminal sees: help, refusals, exit codes, and the first lines of `dev`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use satforge::config::GatewayKey;

use kit::process::{Gateway, finish, run, satforge};

/// The exit code of a command line or a configuration that is refused.
const REFUSED: Option<i32> = Some(2);

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A key file of these bytes.
fn key(folder: &Path, byte: u8) -> String {
    let path = folder.join(format!("{byte}.key"));
    std::fs::write(&path, hex::encode([byte; 32])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

/// Writes a configuration, and returns the path of its file.
fn configuration(folder: &Path, secrets: &[String], more: &str) -> String {
    let path = folder.join("satforge.toml");
    let text = format!(
        "data_dir = \"{}\"\n{more}\n[server]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"off\"\n\
         [keys]\nsecrets = {secrets:?}\n",
        folder.join("data").display(),
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn help_and_version_are_answers() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["dev", "serve", "check", "L402"] {
        assert!(stdout(&help).contains(word), "{word} is missing in: {}", stdout(&help));
    }
    for (command, options) in [
        ("dev", &["--listen", "--data-dir", "--public-url", "--public-sandbox"][..]),
        ("serve", &["--config"]),
        ("check", &["--config"]),
    ] {
        let help = run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        for option in options {
            assert!(stdout(&help).contains(option), "{command} {option}");
        }
    }
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version).trim(), format!("satforge {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for arguments in [&[][..], &["sell"], &["serve"], &["dev", "--listen", "here"], &["check", "--config"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), REFUSED, "{arguments:?}");
        assert!(stderr(&output).contains("Usage") || stderr(&output).contains("--help"), "{}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn dev_says_where_to_look_and_what_to_paste() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut gateway = Gateway::dev(&data_dir, &[]);
    let (url, welcome) = (gateway.url.clone(), gateway.welcome.clone());
    let first = format!("satforge {} sells at {url}", env!("CARGO_PKG_VERSION"));
    assert!(welcome.contains(&first), "{welcome}");
    let buyer = kit::buyer::Buyer::new();
    for line in welcome.lines().filter(|line| line.starts_with("  http")) {
        let link = line.split_whitespace().next().unwrap();
        assert_eq!(buyer.get(link).await.status(), 200, "{link}");
    }
    let (_, rest) = welcome.split_once("---- paste from here ----\n").expect(&welcome);
    let (script, _) = rest.split_once("---- to here ----").expect(&welcome);
    assert!(script.contains(&format!("{url}/api/l402/video")) && script.contains("/sandbox/pay"), "{script}");
    let syntax = std::process::Command::new("sh").args(["-n", "-c", script]).output().unwrap();
    assert!(syntax.status.success(), "a shell cannot read it: {}", stderr(&syntax));

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir.join("gateway.key")), 0o600);
    assert_eq!(mode(&data_dir), 0o700);
    gateway.terminate();
    assert_eq!(gateway.ended().await.code(), Some(0));

    let before = std::fs::read(data_dir.join("gateway.key")).unwrap();
    drop(Gateway::dev(&data_dir, &[]));
    assert_eq!(std::fs::read(data_dir.join("gateway.key")).unwrap(), before, "a restart keeps the key");
}

#[tokio::test]
async fn a_stop_that_comes_at_once_is_as_polite_as_any() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let mut gateway = Gateway::dev(folder.path(), &[]);
        gateway.terminate();
        assert_eq!(gateway.ended().await.code(), Some(0));
    }
}

#[test]
fn a_sandbox_for_everybody_must_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let output = run(&["dev", "--listen", "0.0.0.0:0", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), REFUSED);
    let said = stderr(&output);
    assert!(said.contains("--public-sandbox") || said.contains("sandbox.public"), "{said}");
    assert!(!data_dir.exists(), "a refusal leaves nothing behind");
}

#[test]
fn the_address_of_another_program_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["dev", "--listen", &address, "--data-dir", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot listen on {address}")), "{}", stderr(&output));
}

#[test]
fn the_example_is_good_with_a_key_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let example = include_str!("../../satforge.example.toml");
    let own = example
        .replace("file:/etc/satforge/gateway.key", &key(folder.path(), 1))
        .replace("./satforge-data", folder.path().join("data").to_str().unwrap());
    assert_ne!(own, example);
    let path = folder.path().join("satforge.toml");
    std::fs::write(&path, own).unwrap();
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim(), format!("{} is good.", path.display()));
    assert!(!folder.path().join("data").exists(), "checking makes nothing");
}

#[test]
fn check_names_everything_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "ab".repeat(32);
    let path =
        configuration(folder.path(), std::slice::from_ref(&secret), "[limits]\nchallenges_per_minut = 7\ndecoders = 0");
    let output = run(&["check", "--config", &path]);
    assert_eq!(output.status.code(), REFUSED);
    let said = stderr(&output);
    for problem in ["limits.challenges_per_minut", "limits.decoders", "keys.secrets[0]"] {
        assert!(said.contains(problem), "{problem} is missing in: {said}");
    }
    assert!(said.contains("challenges_per_minute"), "what was meant is named: {said}");
    assert!(!said.contains(&secret[..16]), "a secret is never repeated");

    let none = run(&["check", "--config", "/no/such/satforge.toml"]);
    assert_eq!(none.status.code(), REFUSED);
    assert!(stderr(&none).contains("/no/such/satforge.toml"));
}

#[test]
fn a_variable_that_is_no_setting_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = configuration(folder.path(), &[key(folder.path(), 1)], "");
    let mut command = satforge(&["check", "--config", &path]);
    let output = finish(command.env("SATFORGE_LIMITS__CHALENGES_PER_MINUTE", "7"));
    assert_eq!(output.status.code(), REFUSED);
    assert!(stderr(&output).contains("SATFORGE_LIMITS__CHALENGES_PER_MINUTE"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_key_whose_tokens_can_be_presented_must_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (key(folder.path(), 1), key(folder.path(), 2));
    let path = configuration(folder.path(), std::slice::from_ref(&a), "");
    let mut gateway = Gateway::start(&mut satforge(&["serve", "--config", &path]));

    // Also while it serves.
    for stopped in [false, true] {
        if stopped {
            gateway.terminate();
            assert_eq!(gateway.ended().await.code(), Some(0));
        }
        configuration(folder.path(), std::slice::from_ref(&b), "");
        let output = run(&["check", "--config", &path]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}", output.status);
        let said = stderr(&output);
        let fingerprint = GatewayKey::new([1; 32]).fingerprint();
        assert!(said.contains(&fingerprint) && said.contains("keys.secrets"), "{said}");
        assert!(!said.contains("0101010101"), "the key itself is not shown");

        for good in [vec![b.clone(), a.clone()], vec![a.clone()]] {
            configuration(folder.path(), &good, "");
            let output = run(&["check", "--config", &path]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
    }

    configuration(folder.path(), &[b], "");
    let output = run(&["serve", "--config", &path]);
    assert!(!output.status.success(), "and `serve` refuses the same");
}
