//! Which money buys which work.

use super::providers::{refused, said, serve};
use super::routes::{ACCOUNTS, MODEL, VIDEO};
use crate::domain::ServiceId;

#[test]
fn play_money_buys_no_work_that_somebody_charges_for() {
    let sandbox = &ACCOUNTS[ACCOUNTS.find("[providers.replicate]").unwrap()..];
    let cog = "[[services.video.routes]]\nprovider = 'cog'\ninput = { prompt = '{prompt}' }\n";
    let config = serve(&format!("{sandbox}{cog}")).unwrap();
    assert!(!config.simulated(ServiceId::Video) && config.simulated(ServiceId::Model3d));
    assert_eq!(config.unsold, []);
    serve(&format!("{sandbox}{}", cog.replace("cog", "videos"))).unwrap();
    let far = sandbox.replace("http://127.0.0.1:8091", "https://videos.example");
    let path = "services.video.routes[1].provider";
    assert_eq!(refused(&format!("{far}{cog}{}", cog.replace("cog", "videos"))), [path]);
    assert_eq!(refused(&format!("{sandbox}{cog}{VIDEO}")), [path]);
    assert!(said(&format!("{sandbox}{cog}{VIDEO}")).contains("callers would pay with sandbox money"));
    // A server of one's own that is far away charges nobody, and a provider that charges does so by whatever way.
    let far = sandbox.replace("url = 'http://127.0.0.1:5301'", "url = 'https://cog.example'");
    serve(&format!("[server]\npublic_url = 'https://gateway.example'\n{far}{cog}")).unwrap();
    let near = sandbox.replace("kind = 'replicate'", "kind = 'replicate'\nurl = 'http://127.0.0.1:8080/v1'");
    assert_eq!(refused(&format!("{near}{cog}{VIDEO}")), [path]);
    let signet = ACCOUNTS.replace("'lnbits'\n", "'lnbits'\nnetwork = 'signet'\n");
    assert_eq!(refused(&format!("{signet}[sandbox]\npublic = true\n{cog}{VIDEO}{cog}")), [path]);
    let open = "[server]\nlisten = '0.0.0.0:4020'\npublic_url = 'https://gateway.example'\n";
    assert_eq!(refused(&format!("{sandbox}{open}{cog}")), ["server.listen"]);
    serve(&format!("{sandbox}{open}[sandbox]\npublic = true\n{cog}")).unwrap();
}

#[test]
fn real_money_buys_real_work() {
    let open = "[server]\nlisten = '0.0.0.0:4020'\npublic_url = 'https://gateway.example'\n";
    let rehearsal = "[sandbox]\nrehearsal = true\n";
    let config = serve(&format!("{ACCOUNTS}{open}{VIDEO}")).unwrap();
    assert_eq!(config.unsold, [ServiceId::Model3d]);
    assert!(!config.simulated(ServiceId::Video) && !config.simulated(ServiceId::Model3d));
    assert_eq!(refused(ACCOUNTS), ["lightning.network"]);
    let config = serve(&format!("{ACCOUNTS}{rehearsal}{VIDEO}")).unwrap();
    assert_eq!(config.unsold, []);
    assert!(!config.simulated(ServiceId::Video) && config.simulated(ServiceId::Model3d));
    assert_eq!(refused(&format!("{ACCOUNTS}{open}{rehearsal}{VIDEO}")), ["server.listen"]);
    let config = serve(&format!("{ACCOUNTS}{open}{rehearsal}{VIDEO}{MODEL}")).unwrap();
    assert!(config.unsold.is_empty() && ServiceId::ALL.iter().all(|id| !config.simulated(*id)));
}

/// A proxy on this machine makes a listener on loopback public.
#[test]
fn play_money_and_rehearsals_stay_on_this_machine() {
    let sandbox = &ACCOUNTS[ACCOUNTS.find("[providers.replicate]").unwrap()..];
    let (proxy, public) = ("[server]\ntrusted_proxies = ['127.0.0.1']\n", "[sandbox]\npublic = true\n");
    let path = "server.trusted_proxies";
    assert!(serve(sandbox).unwrap().local_only);
    assert_eq!(refused(&format!("{sandbox}{proxy}")), [path]);
    assert!(said(&format!("{sandbox}{proxy}")).contains("anybody could pay with sandbox money"));
    assert!(!serve(&format!("{sandbox}{proxy}{public}")).unwrap().local_only);
    let rehearsal = "[sandbox]\nrehearsal = true\n";
    assert!(serve(&format!("{ACCOUNTS}{rehearsal}{VIDEO}")).unwrap().local_only);
    assert_eq!(refused(&format!("{ACCOUNTS}{proxy}{rehearsal}{VIDEO}")), [path]);
    assert_eq!(refused(&format!("{ACCOUNTS}{proxy}{rehearsal}public = true\n{VIDEO}")), [path]);
    assert!(!serve(&format!("{ACCOUNTS}{proxy}{VIDEO}{MODEL}")).unwrap().local_only);
    assert!(!serve(&format!("{ACCOUNTS}{proxy}{rehearsal}{VIDEO}{MODEL}")).unwrap().local_only, "nothing is simulated");
}
