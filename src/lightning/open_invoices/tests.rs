use std::net::Ipv4Addr;

use super::*;
use crate::clock::ManualClock;
use crate::domain::Msat;

const EXPIRY: Duration = Duration::from_mins(10);

fn places(ceiling: usize) -> (Arc<OpenInvoices>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    (OpenInvoices::new(ceiling, clock.clone()), clock)
}

fn at(network: u8, host: u8) -> Holder {
    Holder::Caller(Caller::at(Ipv4Addr::new(203, 0, network, host).into()))
}

fn invoice(n: usize, clock: &ManualClock) -> Invoice {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&n.to_be_bytes());
    let expires_at = clock.unix_seconds() + EXPIRY.as_secs();
    Invoice { bolt11: String::new(), payment_hash: PaymentHash::from_bytes(hash), amount: Msat::ZERO, expires_at }
}

/// Takes places until one is refused, and keeps them; how many there were.
fn flood(places: &Arc<OpenInvoices>, clock: &ManualClock, from: usize, holder: impl Fn(usize) -> Holder) -> usize {
    (0..).map_while(|n| places.take(holder(n)).ok().map(|place| place.keep(&invoice(from + n, clock)))).count()
}

#[test]
fn nobody_reaches_the_ceiling_alone() {
    let (places, clock) = places(1_000);
    let mut open = flood(&places, &clock, 0, |_| at(1, 1));
    assert_eq!(open, 143, "a seventh for one address");
    // Whatever its hosts hold: the first of them alone could still take what the others gave back.
    open += flood(&places, &clock, 1_000, |n| at(1, u8::try_from(2 + n % 250).unwrap()));
    assert!((240..=251).contains(&open), "a quarter for one network: {open}");
    assert!(places.refuses(at(1, 1)).is_some());
    assert_eq!(places.refuses(at(2, 1)), None);
}

#[test]
fn the_more_flood_the_less_each_gets_and_there_is_room_for_a_newcomer() {
    let (places, clock) = places(1_000);
    for round in 0..100 {
        for network in 0..100 {
            if let Ok(place) = places.take(at(network, 1)) {
                place.keep(&invoice(round * 1_000 + usize::from(network), &clock));
            }
        }
    }
    let held: Vec<usize> = places.lock().networks.values().copied().collect();
    assert!(held.len() == 100 && held.iter().all(|held| (9..=10).contains(held)), "{held:?}");
    assert_eq!(flood(&places, &clock, 1_000_000, |_| at(200, 1)), 8);
}

#[test]
fn the_shelves_leave_room_for_callers() {
    let (places, clock) = places(100);
    assert_eq!(flood(&places, &clock, 0, |_| Holder::Shelves), 25);
    let place = places.take(at(1, 1)).ok().unwrap();
    place.keep(&invoice(3, &clock));
    let inner = places.lock();
    assert_eq!((inner.taken, inner.shelved, inner.open.len()), (25, 24, 25), "one has changed hands");
}

#[test]
fn a_place_is_free_again_when_its_invoice_has_ended_or_was_not_made() {
    let (places, clock) = places(4);
    drop(places.take(at(1, 1)).ok().unwrap());
    places.take(at(1, 1)).ok().unwrap().keep(&invoice(1, &clock));
    clock.advance(Duration::from_secs(595));
    assert_eq!(places.take(at(1, 2)).err(), Some(Duration::from_secs(5)), "until the next one expires");
    places.close(&invoice(1, &clock).payment_hash);
    places.take(at(1, 2)).ok().unwrap().keep(&invoice(2, &clock));
    assert_eq!(places.refuses(at(1, 1)), Some(LATEST));
    clock.advance(EXPIRY);
    assert_eq!(places.refuses(at(1, 1)), None);
    places.close(&invoice(2, &clock).payment_hash);
    let inner = places.lock();
    let kept = (inner.taken, inner.networks.len(), inner.addresses.len(), inner.open.len(), inner.ends.len());
    assert_eq!(kept, (0, 0, 0, 0, 0), "nothing is left behind");
}

/// A clock that is set back would otherwise keep places for hours.
#[test]
fn a_clock_that_is_set_keeps_no_place() {
    let (places, clock) = places(4);
    places.take(at(1, 1)).ok().unwrap().keep(&invoice(1, &clock));
    clock.set(0);
    clock.advance(EXPIRY);
    assert_eq!(places.refuses(at(1, 1)), None);
}

#[test]
fn the_ceiling_holds_when_all_come_at_once() {
    let (places, clock) = places(64);
    let most = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..8u8)
            .map(|thread| {
                let (places, clock) = (&places, &clock);
                scope.spawn(move || {
                    let mut most = 0;
                    for n in 0..2_000 {
                        let holder = at(u8::try_from(n % 250).unwrap(), thread);
                        if let Ok(place) = places.take(holder) {
                            most = most.max(places.lock().taken);
                            if n % 3 == 0 {
                                place.keep(&invoice(usize::from(thread) * 10_000 + n, clock));
                            }
                        }
                        if n % 5 == 0 {
                            places.close(&invoice(usize::from(thread) * 10_000 + n / 2, clock).payment_hash);
                        }
                    }
                    most
                })
            })
            .collect();
        buyers.into_iter().map(|buyer| buyer.join().unwrap()).max().unwrap()
    });
    assert!((1..=64).contains(&most), "{most}");
    let inner = places.lock();
    assert_eq!(inner.taken, inner.open.len(), "what was not made is given back");
    assert_eq!(inner.networks.values().sum::<usize>(), inner.taken);
}
