//! What is done to the gateway and its backends, and when: drawn from the seed before anything begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::dice::{Dice, pass};
use crate::gateway::{Disk, Gateway};
use crate::world::World;
use crate::world::weather::Backend;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

#[derive(Clone, Copy, Debug)]
enum Act {
    Kill,
    Disk(Disk),
    Clock(i64),
    Away(Backend, bool),
    RestartCog,
}

/// Every act and its time from the beginning on, in order.
fn acts(seed: u64, seconds: u64) -> Vec<(Duration, Act)> {
    let end = Duration::from_secs(seconds);
    let mut acts = Vec::new();
    let mut each = |what: &str, least: u64, most: u64, act: &mut dyn FnMut(&mut Dice) -> Vec<(Duration, Act)>| {
        let mut dice = Dice::of(seed, what, 0, 0);
        let mut at = dice.millis(least / 2, most);
        while at < end {
            acts.extend(act(&mut dice).into_iter().map(|(after, act)| (at + after, act)));
            at += dice.millis(least, most);
        }
    };
    each("kill", 5_000, 18_000, &mut |_| vec![(Duration::ZERO, Act::Kill)]);
    each("disk", 10_000, 25_000, &mut |dice| {
        let disk = dice.pick(&[(2, Disk::Full), (2, Disk::ReadOnly), (2, Disk::NoFlush)]);
        vec![(Duration::ZERO, Act::Disk(disk)), (dice.millis(300, 2_500), Act::Disk(Disk::Well))]
    });
    each("clock", 20_000, 60_000, &mut |dice| {
        let ahead = dice.pick(&[
            (3, 3 * MINUTE),
            (3, -3 * MINUTE),
            (1, 20 * MINUTE),
            (1, -20 * MINUTE),
            (1, HOUR + 5 * MINUTE),
            (1, -HOUR),
        ]);
        vec![(Duration::ZERO, Act::Clock(ahead)), (dice.millis(1_000, 8_000), Act::Clock(0))]
    });
    each("away", 25_000, 60_000, &mut |dice| {
        let backend = dice.pick(&[(1, Backend::Node), (2, Backend::Films), (1, Backend::Shapes)]);
        vec![(Duration::ZERO, Act::Away(backend, true)), (dice.millis(500, 4_000), Act::Away(backend, false))]
    });
    each("cog", 20_000, 60_000, &mut |_| vec![(Duration::ZERO, Act::RestartCog)]);
    acts.sort_by_key(|(at, _)| *at);
    acts
}

/// Does it all, and ends when the time is over. Errors when the gateway does not start, or has ended by itself.
pub async fn run(world: &Arc<World>, gateway: &Arc<Mutex<Gateway>>, seconds: u64) -> Result<(), String> {
    let began = Instant::now();
    for (at, act) in acts(world.seed, seconds) {
        pass(at.saturating_sub(began.elapsed())).await;
        revive(world, gateway).await?;
        match act {
            Act::Kill => {
                let mut gateway = gateway.lock().await;
                gateway.kill();
                // A disk that was broken for the dead process is so for the next one.
                start(&mut gateway).await?;
            }
            Act::Disk(disk) => {
                if disk != Disk::Well {
                    world.weather.count(match disk {
                        Disk::Full => "disk-full",
                        Disk::ReadOnly => "disk-read-only",
                        Disk::NoFlush | Disk::Well => "disk-no-flush",
                    });
                }
                gateway.lock().await.set_disk(disk);
            }
            Act::Clock(ahead) => {
                world.weather.count("clock-set");
                gateway.lock().await.set_clock(ahead);
            }
            Act::Away(backend, is_away) => {
                if is_away {
                    world.weather.count("backend-away");
                }
                world.weather.set_away(backend, is_away);
            }
            Act::RestartCog => world.restart_cog(),
        }
    }
    pass(Duration::from_secs(seconds).saturating_sub(began.elapsed())).await;
    Ok(())
}

/// A gateway that finds its disk broken while it starts may give up. Any other end of its own is wrong.
async fn revive(world: &World, gateway: &Mutex<Gateway>) -> Result<(), String> {
    let mut gateway = gateway.lock().await;
    if !gateway.has_ended() {
        return Ok(());
    }
    if !gateway.was_broken_at_start() {
        return Err(format!("the gateway has ended by itself:\n{}", gateway.last_words(20)));
    }
    world.weather.count("start-given-up");
    start(&mut gateway).await
}

/// A gateway that cannot write need not start; so the disk is mended if it does not within a second or two.
async fn start(gateway: &mut Gateway) -> Result<(), String> {
    let soon = tokio::time::timeout(Duration::from_secs(2), gateway.start()).await;
    if let Ok(started) = soon {
        return started;
    }
    gateway.set_disk(Disk::Well);
    gateway.start().await
}
