//! satforge: a gateway that sells AI generation by the call for bitcoin over Lightning (L402).
//!
//! One binary turns *validated request → payment → durable job → model provider → stored artifact → answer*. Lightning
//! nodes, model APIs and storage are other people's software behind small traits, chosen by the configuration.
//!
//! # Bird's-eye view
//!
//! ```text
//!             HTTP edge                    money                             work
//! request ─► http::generate ─► catalog ─► paywall ──► jobs::redeem ─► jobs::worker ─► provider ─► artifacts
//!             prove first,      JobSpec    402, or     insert, or      lease           submit      file,
//!             raw bytes kept    + Quote    Verified    get by          execution       poll        flushed
//!                                          Payment     payment hash    (one attempt)   fetch          │
//!                                                         │                                           ▼
//! response ◄─ http::hold ◄──────────────────────── jobs::waiters ◄──────────────────────────── store: job ended
//!             silence, spaces,                     exactly those who                           delivered, or
//!             JSON or 202                          wait for that job                           owed back
//! ```
//!
//! Without a credential a request goes along the upper line as far as the paywall and comes back as `402`; nothing of
//! it is kept. With a good one it is proven before its body is read, bound to the body's hash, and redeemed: no change of
//! rules or prices, no limit and no health check stands between a payment and its job.
//!
//! # Modules, in reading order
//!
//! 1. [`domain`]: the vocabulary. No I/O; begin with [`domain::job`] and [`domain::payment`].
//! 2. [`config`]: what was typed, what it means, and what is refused. The key ring.
//! 3. [`clock`]: what time it is. [`shutdown`]: stopping in two stages. [`circuit`]: leaving alone what does not answer.
//! 4. [`egress`]: requests to other people's servers, with limits, pins and a guard against private addresses; files
//!    from them, over redirects and broken connections.
//! 5. [`catalog`]: what is sold. Bytes in; a job's specification and its price, or every problem at once, out.
//! 6. [`lightning`]: who makes invoices and pays money back. One trait, an adapter a folder; [`lightning::Guarded`] limits
//!    and rests a node, [`lightning::Invoices`] checks what it makes and keeps some ready, [`lightning::pay()`] looks
//!    before it pays. [`lightning::sandbox`] is an adapter like any other.
//! 7. [`paywall`]: challenge out, [`paywall::VerifiedPayment`] in.
//! 8. [`store`]: all SQL. Reads take a pool, writes one group-committing writer.
//! 9. [`books`]: which of the invoices that are out were paid.
//! 10. [`artifacts`]: large inputs, and results, as files on disk or in a bucket that is one data directory's alone.
//! 11. [`providers`]: who does the work. One trait, an adapter a folder, one table of what statuses mean
//!     (`providers/api.rs`); [`providers::sandbox`] is an adapter like any other. A [`providers::Route`] is one way to do a
//!     service's work, and is not sold while it does not work.
//! 12. [`jobs`]: redemption, the claim loop, one attempt, who waits, what is deleted. The crash rules stand there.
//! 13. [`callbacks`]: telling callers of a job's end at a URL of theirs, from an outbox.
//! 14. [`refunds`]: claims of what is owed back, and their payment. The crash rule of money that leaves stands there.
//! 15. [`operator`]: what the operator does at a command line, beside a gateway that may be at work.
//! 16. [`http`]: the edge. [`http::routes`] is the table, [`http::generate`] the purchase, [`http::hold`] the wait.
//! 17. [`telemetry`]: log lines and metrics.
//! 18. [`app`]: the composition root, the only place that names concrete backends.
//!
//! `fuzzing` is in no build of the gateway: what the fuzz targets run, and the tests that replay their seeds.
//!
//! [`planted`] holds the bugs that the fault harness must find; a build without its cargo feature has none of them.
//!
//! A module imports `domain`, its own section of `config`, and modules above it in this list, never below; `http` and
//! `app` import what they need. The binary (`src/main.rs`, `src/commands/`) reads the command line and
//! calls [`app`] or [`operator`].
//!
//! # Invariants, and where each is guarded
//!
//! 1. *Nothing is invoiced that was not validated and priced; nothing runs without a `VerifiedPayment`.* The order in
//!    [`http::generate`]; [`paywall::VerifiedPayment`] has private fields, no `Clone`, and [`jobs::Jobs::redeem`]
//!    consumes it.
//! 2. *A payment hash buys at most one job, and is never forgotten.* `jobs.payment_hash` is `UNIQUE` and the insert is
//!    the redemption (`store/insert.rs`); a second presentation is held against service and body hash
//!    (`jobs/redeem.rs`). `store/tests.rs`: `a_payment_buys_one_job`, `results_are_swept_and_rows_are_kept`.
//! 3. *A redemption is on disk before anything is dispatched or answered, and ends in a result or an amount owed.* The
//!    crash rule in [`jobs::redeem`]; `synchronous = FULL` in `store/mod.rs`; the refund's row in the transaction that
//!    fails the job (`store/finish.rs`; `store/tests.rs`: `a_failed_job_and_what_is_owed_are_one_write`,
//!    `a_late_payment_is_owed_at_once`). `store/tests/interleavings.rs` holds
//!    claims, payments, workers and the operator to a model, in any order. `tests/crash` kills the binary at each step.
//! 4. *A provider is not asked twice without looking first.* The `dispatching` state is written before the create goes
//!    out, and what is found in it is looked up before anything is sent again, by its key, by what no other create has, or
//!    by what a webhook told (`jobs/execution/look_up.rs`), and in the words that it went out in (`tests/engine/reworded.rs`);
//!    a generation belongs to one create (`store/dispatches.rs`).
//!    `tests/providers` holds every adapter to it, `tests/crash/upstream.rs` kills the gateway in between. A webhook is
//!    only ever a reason to look ([`jobs::Reception`]; `tests/engine/webhooks.rs`), but for cog's, which carry the result:
//!    they are authenticated, and on disk before they are answered (`providers/cog/inbox.rs`).
//! 5. *No transaction is open across a network call.* Only the writer in `store/writer.rs` opens transactions, and what
//!    it runs has nothing but its connection.
//! 6. *An unpaid challenge writes nothing to the database.* [`paywall`] and [`lightning`] do not import [`store`]
//!    (`tests/tidy`): root keys are derived, and amounts stand inside the macaroon ([`paywall::token`]). [`books`] writes
//!    what was paid, and every ten seconds how many challenges there were, as a sum. `tests/http/challenge.rs`;
//!    `tests/http/lightning.rs`: `payments_are_entered_in_the_books`.
//! 7. *One price function.* [`catalog::price::quote`] feeds the challenge, the pages, the metadata and the shelves of
//!    invoices; `catalog/describe.rs`: `the_examples_can_be_bought_at_the_price_they_show`. The price follows the route
//!    that sells ([`http::offer`]), and so does everything that states it (`tests/http/selling.rs`).
//! 8. *SQL in `store`, axum and askama in `http`, the environment in `config`.* Kept by the tests in `tests/tidy`.
//! 9. *The sandbox is a choice of adapters.* [`app::Backends`] makes it; elsewhere it is a value that the pages show and
//!    a route that exists or not. Money that is worth nothing (the sandbox's, test networks') is taken on loopback only,
//!    unless allowed, never for the work of a provider that charges for it, and simulated work is never sold for real
//!    money, but on loopback as a rehearsal (`config/meaning/money.rs`, and [`http::locality`] for proxies). The sandbox passes the same contract as every
//!    other adapter (`tests/lightning`).
//! 10. *No secret, preimage, macaroon, prompt, image, public job id or URL of a result is logged.* Secrets, preimages and
//!     job specifications show nothing in `Debug` ([`config::keys`], [`domain::payment`], [`domain::request`]), and
//!     paths are logged as routes ([`http::observe`]). `tests/logs` reads the whole log of purchases.
//! 11. *The domain, the codecs and the pricing take time and randomness as arguments.* `.clippy.toml` refuses the
//!     system's clock everywhere but in [`clock`].
//! 12. *Without a verified credential a request is charged before its body is read, and dear work is bounded.*
//!     [`http::budget`], [`http::body`] (memory: `unpaid_bodies_leave_room_for_paid_ones`), and the places for decoding
//!     in [`http::generate`]. Unpaid invoices have a ceiling that nobody reaches alone (`lightning/open_invoices.rs`),
//!     and whoever is refused all the time waits for it ([`http::tarpit`]): `tests/http/floods.rs`, `sockets.rs`. What
//!     was paid for is not decoded again (`catalog/model3d.rs`: `what_was_paid_for_is_not_decoded_again`).
//! 13. *A refund is paid once, for what was paid and to whoever holds the credential.* Its claim is on disk before anything is
//!     ordered, one conditional statement each (`store/refunds.rs`); who pays is asked before anything is ordered again
//!     ([`lightning::pay()`], `refunds/payer.rs`). `src/refunds/tests.rs`, `tests/http/refunds.rs`, `tests/http/thieves.rs`;
//!     `tests/chaos` kills the gateway in between, over a node that lies.
//!
//! # Where the code is not as first designed, and why
//!
//! - [`paywall::VerifiedPayment`] lives in [`paywall::verify`] and not in [`domain`]. Rust's visibility knows no "only
//!   that module": a constructor in `domain` that the paywall can call could be called by the whole crate. With private
//!   fields in the module that verifies, nobody else can make one.
//! - The macaroon codec ([`paywall::macaroon`]) is our own. The format is small, decoding borrows from the header's bytes
//!   and copies nothing, and the published vectors hold it byte for byte (`paywall/vectors.rs`).
//! - Writes go through one connection that commits together what comes in at the same time (`store/writer.rs`) instead of
//!   a pool of writers: SQLite has one writer anyway, and concurrent redemptions share one flush to disk. Nobody ever
//!   meets "database is locked".
//! - [`catalog`], [`lightning`] and [`paywall`] import [`config`]: each is made from its own section and nothing else.
//! - A challenge's invoice is read by code of our own (`lightning/decode.rs`) and not by the `lightning-invoice` crate,
//!   which makes the sandbox's: it reads only what is held against the request, in a quarter of the time, and a property
//!   test holds it against the crate. The signature is checked where a key is pinned, with the crate.
//! - Every invoice is checked in [`lightning`] and not in [`paywall`]: one that lies on a shelf was checked when it came.
//! - "A sandbox provider with real Lightning: never" has one exception, `sandbox.rehearsal` on loopback. Before real models
//!   are configured an operator needs a way to try their own node, and some test wallets make invoices that look real.
//! - There is no span around every request, only around redemptions and attempts: [`http::observe`] says why.
//! - [`refunds`] is a module of its own and not a part of [`jobs`]: it needs nothing of jobs but their ids, and money that
//!   leaves is easier to review apart from the work.

pub mod app;
pub mod artifacts;
pub mod books;
pub mod callbacks;
pub mod catalog;
pub mod circuit;
pub mod clock;
pub mod config;
pub mod domain;
pub mod egress;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod jobs;
pub mod lightning;
pub mod operator;
pub mod paywall;
pub mod planted;
pub mod providers;
pub mod refunds;
pub mod shutdown;
pub mod store;
pub mod telemetry;
