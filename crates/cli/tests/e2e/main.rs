//! The real binary, as people use it: whole runs, their ends before their time, recovery, and input that cannot work.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod faults;
mod harness;
mod k6;
mod placed;
mod queue;
mod recovery;
mod stops;
mod turns;
mod workflows;
mod writes;
