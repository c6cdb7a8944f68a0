//! What every implementation of a port has to do, as tests: [`runner_suite!`](crate::runner_suite) and
//! [`journal_suite!`](crate::journal_suite).
//!
//! A crate that implements a port names a place of its own to try it in, and gets a test for each behavior.

pub mod journal;
pub mod runner;

pub use journal::Shelf;
pub use runner::Premises;
