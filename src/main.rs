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
