//! Webhooks that are lost, doubled, late, in the wrong order, and forged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dice::{Dice, pass};

use super::World;
use super::works::Work;

/// A webhook.
pub struct Event {
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

type Telling = fn(&World, &Work, bool, u64) -> Event;

/// Tells of the beginning and of the end of a work, in the background. With `insists`, the end is told until it is taken,
/// as it is told nowhere else.
pub fn announce(world: &Arc<World>, work: &Work, insists: bool, telling: Telling) {
    if work.webhook.is_empty() {
        return;
    }
    let (world, work) = (world.clone(), work.clone());
    #[expect(clippy::disallowed_methods, reason = "it ends with the process")]
    tokio::spawn(async move {
        let mut dice = Dice::of(world.seed, "webhooks", work.job, work.nth);
        if !dice.thousandths(300) {
            pass(dice.millis(0, 500)).await;
            let event = telling(&world, &work, false, 0);
            tell(&world, &work, &mut dice, event).await;
        }
        pass(work.over_at().saturating_duration_since(Instant::now())).await;
        if dice.thousandths(100) {
            world.weather.count("webhook-late");
            pass(dice.millis(200, 2_500)).await;
        }
        for nth in 1.. {
            let Some(work) = current(&world, &work).filter(|work| !work.lost) else { return };
            let event = telling(&world, &work, true, nth);
            let taken = tell(&world, &work, &mut dice, event).await;
            if taken {
                mark_told(&world, &work);
            }
            if taken || !insists {
                break;
            }
            pass(dice.millis(200, 1_500)).await;
        }
        if dice.thousandths(200) {
            world.weather.count("webhook-doubled");
            pass(dice.millis(0, 800)).await;
            let event = telling(&world, &work, true, 98);
            tell(&world, &work, &mut dice, event).await;
        }
        if dice.thousandths(100) {
            world.weather.count("webhook-disordered");
            let event = telling(&world, &work, false, 99);
            tell(&world, &work, &mut dice, event).await;
        }
    });
}

fn current(world: &World, work: &Work) -> Option<Work> {
    world.films.get(&work.id).or_else(|| world.shapes.get(&work.id))
}

fn mark_told(world: &World, work: &Work) {
    world.films.change(&work.id, |work| work.told = true);
    world.shapes.change(&work.id, |work| work.told = true);
}

/// Sends a webhook, if it isn't lost on the way. Whether it was taken.
async fn tell(world: &World, work: &Work, dice: &mut Dice, event: Event) -> bool {
    let is_calm = world.weather.is_calm();
    if !is_calm && dice.thousandths(150) {
        world.weather.count("webhook-lost");
        return false;
    }
    let mut request = world.client.post(&work.webhook).timeout(Duration::from_secs(5));
    let forged = !is_calm && dice.thousandths(30);
    for (name, value) in event.headers {
        // A stranger does not have the secret.
        let value = if forged && name != "webhook-timestamp" { format!("{value}x") } else { value };
        request = request.header(name, value);
    }
    if forged {
        world.weather.count("webhook-forged");
    }
    let answer = request.header("content-type", "application/json").body(event.body).send().await;
    !forged && answer.is_ok_and(|answer| answer.status() == 200)
}
