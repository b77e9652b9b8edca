//! The fault harness: many buyers against the real binary, whose backends lie, stall and cut lines, whose disk fills up,
//! whose clock is set, and which is killed again and again. At the end a checker that knows only what the buyers saw and
//! what the backends did says whether whoever paid got the result or the money back.
//!
//! ```sh
//! tests/chaos/run --seconds 90 --seed 1
//! tests/chaos/run --seconds 40 --seed 1 --plant double-payout   # must fail
//! ```
//!
//! Everything that is drawn comes from the seed: what the backends do, what buyers do, what is done to the process, and
//! when. How it all meets is up to two processes and a machine, so a run can be repeated in kind, not to the letter.
#![expect(clippy::unwrap_used, reason = "a harness fails by panicking")]
#![expect(clippy::print_stdout, reason = "it says what it found")]

mod arguments;
mod buyer;
mod checker;
#[path = "../kit/client.rs"]
mod client;
mod dice;
mod gateway;
mod plan;
mod schedule;
mod world;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use arguments::Arguments;
use buyer::Market;
use buyer::notes::Notes;
use checker::Verdict;
use dice::pass;
use gateway::{Disk, Gateway};
use world::World;

/// Who buys at the same time.
const BUYERS: usize = 100;
/// Who comes again at the same time when all is well.
const RETURNING: usize = 64;
/// How long the rest may take when all is well.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            println!("tests/chaos/run: {message}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let is_clean = runtime.block_on(run(&arguments));
    // Nobody who still waits is waited for.
    runtime.shutdown_background();
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(arguments: &Arguments) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(arguments.seed).await;
    let gateway = Arc::new(Mutex::new(Gateway::new(folder.path(), &world, arguments.plant)));
    let mut wrongs = Vec::new();
    let market = Arc::new(Market::new(world.clone(), gateway.lock().await.url.clone()));
    let started = gateway.lock().await.start().await;
    if let Err(message) = started {
        println!("{message}");
        return false;
    }
    trade(&market, &gateway, arguments, &mut wrongs).await;
    let everybody = settle(&market, &gateway, &mut wrongs).await;
    let gateway = gateway.lock().await;
    let mut verdict = checker::judge(&world, gateway.clock_settings(), &everybody);
    wrongs.append(&mut verdict.wrongs);
    wrongs.extend(gateway.balance().err());
    if verdict.outcomes.contains_key("refund-available") && !verdict.outcomes.contains_key("refund-paid") {
        wrongs.push("money is owed back, and nobody got any: refunds were not tried".to_owned());
    }
    verdict.wrongs = wrongs;
    if arguments.keep {
        tell_slowest(&everybody);
    }
    report(&world, &gateway, arguments, &verdict, &everybody);
    if arguments.keep || !verdict.wrongs.is_empty() && arguments.plant.is_none() {
        println!("the gateway's files: {}", folder.keep().display());
    }
    verdict.wrongs.is_empty()
}

/// Buys while everything goes wrong; with a planted bug, until somebody has seen it.
async fn trade(market: &Arc<Market>, gateway: &Arc<Mutex<Gateway>>, arguments: &Arguments, wrongs: &mut Vec<String>) {
    let mut buyers = JoinSet::new();
    for _ in 0..BUYERS {
        buyers.spawn(market.clone().keep_buying());
    }
    let seen = async {
        let wrong = || market.is_wrong.load(Ordering::SeqCst) || market.world.node.has_paid_twice();
        while arguments.plant.is_none() || !wrong() {
            pass(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        faults = schedule::run(&market.world, gateway, arguments.seconds) => wrongs.extend(faults.err()),
        () = seen => {}
    }
    market.close();
    market.world.weather.clear_up();
    let mut gateway = gateway.lock().await;
    gateway.set_disk(Disk::Well);
    gateway.set_clock(0);
    gateway.kill();
    wrongs.extend(gateway.start().await.err());
    drop(gateway);
    while let Some(ended) = buyers.join_next().await {
        ended.unwrap();
    }
}

/// Everybody comes again, until they know what became of their money.
async fn settle(market: &Arc<Market>, gateway: &Arc<Mutex<Gateway>>, wrongs: &mut Vec<String>) -> Vec<Notes> {
    let mut left = std::mem::take(&mut *market.done.lock().unwrap_or_else(PoisonError::into_inner));
    let until = Instant::now() + PATIENCE;
    let (mut everybody, mut returning): (Vec<Notes>, _) = (Vec::new(), JoinSet::new());
    while !left.is_empty() || !returning.is_empty() {
        while returning.len() < RETURNING
            && let Some(mut notes) = left.pop()
        {
            let market = market.clone();
            returning.spawn(async move {
                if notes.paid.is_some() {
                    market.finish(&mut notes, until).await;
                }
                notes
            });
        }
        if let Some(notes) = returning.join_next().await {
            everybody.push(notes.unwrap());
        }
    }
    if gateway.lock().await.has_ended() {
        wrongs.push("the gateway has ended by itself while all was well".to_owned());
    }
    everybody.sort_by_key(|notes| notes.job);
    everybody
}

/// Who waited longest from the first presentation to the outcome.
fn tell_slowest(everybody: &[Notes]) {
    let waited = |notes: &Notes| Some(notes.ended?.saturating_duration_since(notes.presented?));
    let mut slowest: Vec<_> = everybody.iter().filter_map(|notes| Some((waited(notes)?, notes))).collect();
    slowest.sort_by_key(|(waited, _)| std::cmp::Reverse(*waited));
    for (waited, notes) in slowest.into_iter().take(20) {
        println!("{waited:.0?}: purchase {}, {} {:?}", notes.job, notes.path(), notes.failures);
    }
}

fn report(world: &World, gateway: &Gateway, arguments: &Arguments, verdict: &Verdict, everybody: &[Notes]) {
    const SHOWN: usize = 40;
    for wrong in verdict.wrongs.iter().take(SHOWN) {
        println!("WRONG (seed {}): {wrong}", arguments.seed);
    }
    if verdict.wrongs.len() > SHOWN {
        println!("… and {} more", verdict.wrongs.len() - SHOWN);
    }
    let list = |counts: Vec<(String, u64)>| {
        let counts: Vec<_> = counts.into_iter().map(|(name, count)| format!("{name}={count}")).collect();
        counts.join(" ")
    };
    let named = |counts: &std::collections::BTreeMap<&str, u64>| {
        list(counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    };
    println!(
        "seed {} · {} s · planted: {} · {} purchases · {} kills · {} invoices · faults: {} · outcomes: {} · allowed: {} · wrong: {}",
        arguments.seed,
        arguments.seconds,
        arguments.plant.map_or("nothing", satforge::planted::Bug::name),
        everybody.iter().filter(|notes| notes.paid.is_some()).count(),
        gateway.kills,
        world.node.invoices(),
        list(world.weather.counts().into_iter().collect()),
        named(&verdict.outcomes),
        named(&verdict.allowed),
        verdict.wrongs.len(),
    );
}
