//! Who may import whom.

use crate::source::{Source, code, mentions, own_files, words_after};

/// Each module and what it may import besides itself and `domain`. `app` may import everything. Parts take their own
/// section of the configuration, so those that are configured may import `config`, which itself knows nobody.
const ALLOWED: [(&str, &[&str]); 22] = [
    ("planted", &[]),
    ("domain", &[]),
    ("clock", &[]),
    ("shutdown", &[]),
    ("circuit", &[]),
    ("config", &["clock"]),
    ("telemetry", &["config"]),
    ("egress", &["clock"]),
    ("store", &["clock", "planted"]),
    ("artifacts", &["egress", "clock", "config"]),
    ("lightning", &["circuit", "egress", "clock", "config"]),
    ("providers", &["circuit", "egress", "artifacts", "clock", "config"]),
    ("catalog", &["egress", "clock", "config"]),
    ("paywall", &["catalog", "lightning", "clock", "config", "planted"]),
    ("books", &["store", "lightning", "clock"]),
    (
        "jobs",
        &[
            "egress",
            "store",
            "artifacts",
            "lightning",
            "providers",
            "catalog",
            "paywall",
            "clock",
            "config",
            "planted",
            "shutdown",
        ],
    ),
    ("refunds", &["store", "lightning", "clock", "config", "planted", "shutdown"]),
    ("callbacks", &["egress", "store", "clock", "config", "shutdown"]),
    ("operator", &["store", "refunds", "clock", "config"]),
    (
        "http",
        &[
            "egress",
            "store",
            "artifacts",
            "lightning",
            "providers",
            "catalog",
            "paywall",
            "jobs",
            "refunds",
            "clock",
            "config",
            "shutdown",
            "telemetry",
        ],
    ),
    ("app", &["*"]),
    ("fuzzing", &["*"]),
];

/// Crates and functions with a place of their own.
const PLACES: [(&str, &[&str]); 7] = [
    ("sqlx", &["src/store/"]),
    ("hyper", &["src/http/"]),
    ("reqwest", &["src/egress/", "src/lightning/", "src/providers/"]),
    ("tokio_tungstenite", &["src/egress/"]),
    ("object_store", &["src/artifacts/", "src/http/artifact.rs"]),
    ("std::env", &["src/config/", "src/main.rs", "src/commands/"]),
    // The writer outlives every other task: `close` waits for it after the tracker has ended.
    ("tokio::spawn", &["src/shutdown.rs", "src/store/writer.rs"]),
];

/// What a file imports of ours, as the name of the top module.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut imports = Vec::new();
    for (number, line) in source.lines() {
        assert!(!line.contains("crate::{"), "{}:{number}: one `use` a module, so that rules can be kept", source.path);
        imports.extend(words_after(line, "crate::").map(|module| (number, module.to_owned())));
        imports.extend(climbs(source, line).map(|module| (number, module.to_owned())));
    }
    imports
}

/// Chains of `super::` that leave the file's top module.
fn climbs<'a>(source: &Source, line: &'a str) -> impl Iterator<Item = &'a str> {
    let out = "super::".repeat(source.modules().len().max(1));
    let at = line.find(&out).map(|at| &line[at + out.len()..]);
    at.into_iter().filter_map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next())
}

#[test]
fn nobody_imports_whom_they_must_not_know() {
    let mut broken = Vec::new();
    for source in code() {
        let Some(module) = source.modules().first().copied() else { continue };
        if module == "commands" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: the module {module} has no rule yet", source.path));
            continue;
        };
        for (number, imported) in imports(&source) {
            let fine = imported == module || imported == "domain" || allowed.contains(&imported.as_str());
            if !fine && allowed != &["*"] {
                broken.push(format!("{}:{number}: {module} must not import {imported}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn what_is_allowed_makes_no_circle() {
    // Whoever stands further down may import whoever stands above, and nobody the other way round.
    for (index, (module, allowed)) in ALLOWED.iter().enumerate() {
        for imported in allowed.iter().filter(|name| **name != "*") {
            let above = ALLOWED[..index].iter().any(|(name, _)| name == imported);
            assert!(above, "{module} imports {imported}, which must stand above it");
        }
    }
}

#[test]
fn the_edge_is_made_in_one_place() {
    // The tests of other parts need no web framework either.
    for source in own_files().iter().filter(|source| !source.path.starts_with("src/http/")) {
        for (number, line) in source.lines() {
            for name in ["axum", "askama"] {
                assert!(
                    !mentions(line, name),
                    "{}:{number}: {name} belongs in src/http/: {}",
                    source.path,
                    line.trim()
                );
            }
        }
    }
}

#[test]
fn crates_stay_in_their_places() {
    let mut broken = Vec::new();
    for source in code() {
        for (name, places) in PLACES {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for (number, line) in source.lines().filter(|(_, line)| mentions(line, name)) {
                broken.push(format!(
                    "{}:{number}: {name} belongs in {}: {}",
                    source.path,
                    places.join(", "),
                    line.trim()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn concrete_backends_are_named_by_the_composition_root_alone() {
    // The edge knows the sandbox's wallet, because a page of the edge is that wallet.
    let fine = [
        "src/app.rs",
        "src/lightning/sandbox/",
        "src/app/lightning.rs",
        "src/app/models.rs",
        "src/providers/sandbox/",
        "src/http/gateway.rs",
        "src/http/sandbox.rs",
    ];
    for source in code().iter().filter(|source| !fine.iter().any(|path| source.path.starts_with(path))) {
        for (number, line) in source.lines() {
            for name in ["SandboxLightning", "SandboxProvider"] {
                assert!(!mentions(line, name), "{}:{number}: {name}", source.path);
            }
        }
    }
}

#[test]
fn a_verified_payment_is_made_in_one_place_and_cannot_be_copied() {
    let mut made = Vec::new();
    for source in code() {
        for (number, line) in source.lines() {
            let declares =
                ["struct ", "impl ", "-> "].iter().any(|word| line.contains(&format!("{word}VerifiedPayment {{")));
            if line.contains("VerifiedPayment {") && !declares {
                made.push(format!("{}:{number}", source.path));
            }
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].starts_with("src/paywall/verify.rs:"), "{made:?}");

    let code = code();
    let verify = code.iter().find(|source| source.path == "src/paywall/verify.rs").unwrap();
    let (before, after) = verify.text.split_once("pub struct VerifiedPayment {").unwrap();
    let derives = before.lines().rfind(|line| line.starts_with("#[derive")).unwrap();
    assert_eq!(derives, "#[derive(Debug)]");
    let fields = after.split_once('}').unwrap().0;
    assert!(!fields.contains("pub"), "its fields are private:{fields}");
    for name in ["Clone", "Copy", "Default", "Deserialize", "From<"] {
        let by_hand = format!("{name} for VerifiedPayment");
        assert!(!verify.text.contains(&by_hand), "{by_hand}");
    }
}
