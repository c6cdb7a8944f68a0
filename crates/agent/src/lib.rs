//! The agent: carries out one unit, on a laptop and in a pod alike.
//!
//! It is started by a runner, idles until an engine says `begin`, then folds its own journal, runs the next step,
//! reports, and repeats ([`testudo_core::run::UnitRun`] says what comes next). It outlives whoever talks to it: engines
//! come and go over `link`, and whatever they missed is sent again. It ends when it hears `bye`, or when nobody has
//! spoken to it for longer than the orphan limit.
//!
//! Reading order: [`start`] (how the process comes to be), [`pod`] (the same in a container), `unit` (the loop), `operations` (what a step can do),
//! [`sys`] (the only unsafe code).

mod door;
mod family;
mod habitat;
mod journal;
pub mod jq;
mod lend;
mod link;
mod mask;
mod operations;
mod output;
pub mod pod;
mod processes;
mod scope;
pub mod sealed;
mod settings;
pub mod start;
pub mod sys;
mod unit;

pub use settings::Settings;
