//! How long the peer takes. Each figure is a line that begins with `FIGURE`.

use std::time::{Duration, Instant};

use satforge::lightning::{InvoiceState, Payment, pay};

use crate::peer::Peer;
use crate::working::{World, payout, request};

const INVOICES: usize = 20;
const PAYOUTS: usize = 5;

fn print(peer: &Peer, what: &str, mut times: Vec<Duration>) {
    times.sort();
    let milliseconds = |time: &Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
    let [least, median, most] = [0, times.len() / 2, times.len() - 1].map(|index| milliseconds(&times[index]));
    let (name, count) = (peer.backend().name(), times.len());
    println!("FIGURE {name}: {what}: median {median} ms of {count}, from {least} to {most} ms");
}

#[tokio::test]
async fn invoices_take_so_long() {
    let peer = Peer::start().await;
    let backend = peer.backend();
    let (mut made, mut found) = (Vec::new(), Vec::new());
    for _ in 0..INVOICES {
        let began = Instant::now();
        let invoice = backend.create_invoice(request(backend, 1)).await.unwrap();
        made.push(began.elapsed());
        if backend.capabilities().lookup {
            let began = Instant::now();
            assert_eq!(backend.lookup(&invoice.payment_hash).await, Ok(InvoiceState::Open));
            found.push(began.elapsed());
        }
    }
    print(&peer, "an invoice", made);
    if !found.is_empty() {
        print(&peer, "a look-up", found);
    }
}

/// From the preimage in the payer's hands, which buys at once, to the backend's word that it was paid.
#[tokio::test]
async fn a_settlement_is_seen_so_soon() {
    let peer = Peer::start().await;
    let backend = peer.backend();
    let invoice = backend.create_invoice(request(backend, 2)).await.unwrap();
    peer.receive(&invoice.bolt11).await;
    if backend.capabilities().lookup {
        let is_settled =
            async || matches!(backend.lookup(&invoice.payment_hash).await, Ok(InvoiceState::Settled { .. }));
        let took = peer.until("the payment is seen", is_settled).await;
        print(&peer, "a payment is seen after", vec![took]);
    }
}

#[tokio::test]
async fn payouts_take_so_long() {
    let peer = Peer::start().await;
    let backend = peer.backend();
    if !backend.capabilities().pay {
        println!("NOTE {}: it pays nothing out with its credentials", backend.name());
        return;
    }
    let (mut paid, mut repeated) = (Vec::new(), Vec::new());
    for _ in 0..PAYOUTS {
        let payout = payout(&peer.foreign_invoice(1, Duration::from_mins(10)).await);
        for times in [&mut paid, &mut repeated] {
            let began = Instant::now();
            let payment = pay(backend, &payout, peer.now()).await;
            times.push(began.elapsed());
            assert!(matches!(payment, Payment::Paid(_)), "{payment:?}");
        }
    }
    print(&peer, "a payout", paid);
    print(&peer, "a payout that was made before", repeated);
}
