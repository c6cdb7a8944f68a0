//! Config and templates poured in: from a raw workflow to a resolved one, on trees, with every place kept.
//!
//! [`resolve`] runs the phases of a run's preparation in their order, each on the result of the one before:
//! the global template is put in front, config is put in, templates are merged in, and, once the execution has a
//! name, so is its identity. What none of them knows stays as expression text for later.
//!
//! [`apply()`] is the walk all of them share, and `split` and `plan` with them: the table of fields says which text is a
//! template, and a [`Pass`] what becomes of the unknown.

mod apply;
mod cast;
mod check;
mod config;
mod hidden;
mod identity;
mod include;
mod merge;
mod pipeline;
#[cfg(test)]
mod tests;
mod tidy;

pub use apply::{Pass, apply};
pub use cast::Type;
pub use check::check_value;
pub use config::{Given, Recorded, SENSITIVE, Sensitive};
pub use hidden::without_steps;
pub use identity::Identity;
pub use merge::{container as merge_container, pod as merge_pod};
pub use pipeline::{Failure, GlobalTemplate, Phase, Request, Resolved, resolve};
