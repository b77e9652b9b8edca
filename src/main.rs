//! The `satforge` command.

mod commands;

use std::process::ExitCode;

use clap::Parser as _;

use commands::Command;

/// The exit code of a command line or a configuration that is refused.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let command = Command::parse();
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::report(&error);
            let refused = error.is::<satforge::config::ConfigErrors>() || error.is::<satforge::app::Refused>();
            if refused { ExitCode::from(REFUSED) } else { ExitCode::FAILURE }
        }
    }
}
