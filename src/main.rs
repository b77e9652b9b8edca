//! The `satforge` command.

mod commands;

use std::process::ExitCode;

use clap::Parser as _;

use commands::Command;

/// The exit code of a command line or a configuration that is refused.
const REFUSED: u8 = 2;
/// The exit code of a report whose books do not balance.
const NOT_BALANCED: u8 = 3;

fn main() -> ExitCode {
    #[cfg(feature = "planted-bugs")]
    plant();
    let command = Command::parse();
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::report(&error);
            let refused = error.is::<satforge::config::ConfigErrors>() || error.is::<satforge::app::Refused>();
            if error.is::<satforge::operator::NotBalanced>() {
                ExitCode::from(NOT_BALANCED)
            } else if refused {
                ExitCode::from(REFUSED)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Plants the bug that `PLANTED_BUG` names. Not a setting: what begins with `SATFORGE_` is one.
#[cfg(feature = "planted-bugs")]
fn plant() {
    use satforge::planted::{Bug, plant};
    if let Some(bug) = std::env::var("PLANTED_BUG").ok().as_deref().and_then(Bug::named) {
        plant(bug);
    }
}
