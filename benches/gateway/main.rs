//! Benchmarks, each beside a baseline in the same run: `cargo bench`, or `cargo bench -- challenge image` for some.
//!
//! Servers run as processes of their own, so that their CPU time and memory can be told from the load's. On a shared
//! machine the ratio of CPU time a request is the figure to trust; the ratio of throughput includes the load generator.
#![allow(missing_docs, reason = "a benchmark has no callers")]
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "figures are printed, and a benchmark that cannot run says so by stopping"
)]

mod child;
mod image;
mod latency;
mod load;
mod pool;
mod redeem;
mod setup;
mod throughput;
mod waiters;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(role) = arguments.first().and_then(|argument| argument.strip_prefix("--child=")) {
        return child::serve(role);
    }
    let chosen = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let benchmarks: [(&str, fn()); 7] = [
        ("challenge", throughput::challenges),
        ("paid", throughput::paid_rereads),
        ("redeem", redeem::run),
        ("latency", latency::run),
        ("pool", pool::run),
        ("waiters", waiters::run),
        ("image", image::run),
    ];
    for (name, run) in benchmarks {
        if chosen(name) {
            println!("\n# {name}");
            run();
        }
    }
}
