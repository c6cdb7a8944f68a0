//! The binary: settings and wiring. It decides nothing that a library decides.

mod again;
mod args;
mod catalog;
mod content;
mod control;
mod doctor;
mod documents;
mod environment;
mod find;
mod kube;
mod lint;
mod logs;
mod planning;
mod recover;
mod report;
mod reporter;
mod run;
mod signals;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// What the exit codes of every command mean.
pub(crate) mod exit {
    pub(crate) const PASSED: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    /// Usage, or errors in a file.
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const ABSENT: u8 = 3;
    pub(crate) const INTERRUPTED: u8 = 130;
}

fn main() -> ExitCode {
    // The hidden forms of this binary come first: they have no arguments to parse and no time to lose.
    match std::env::args().nth(1).as_deref() {
        Some(testudo_agent::start::ARGUMENT) => {
            return ExitCode::from(u8::try_from(testudo_agent::start::main()).unwrap_or(1));
        }
        Some(testudo_agent::jq::HELPER_ARGUMENT) => testudo_agent::jq::helper_main(),
        _ => {}
    }
    let arguments = args::Arguments::parse();
    match arguments.carry_out() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = find::exit_code(&error);
            anstream::eprintln!("{}error{}: {error}", reporter::style::BAD, reporter::style::RESET);
            for cause in error.chain().skip(1) {
                anstream::eprintln!("  because: {cause}");
            }
            ExitCode::from(code)
        }
    }
}
