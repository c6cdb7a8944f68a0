//! The pure half of testudo: text in, decisions out. Nothing here opens a file, starts a process,
//! reads a clock or rolls a die; what only the world knows comes in as a value or through a [`expr::Scope`].
//!
//! Reading order, each module using only those before it:
//!
//! - `source`: text, spans, YAML trees and [`source::Diagnostic`]s.
//! - `expr`: the expression language: parse, partly evaluate, print.
//! - `glob`, `duration`: file patterns and durations, as doublestar and Go have them.
//! - `workflow`: what an author may write: the one table of fields, and the documents decoded by it.
//! - `resolve`: templates and config poured in.
//! - `split`: `matrix`, `shards` and counts into instances.
//! - `plan`: everything decidable, decided.
//! - `run`: events and what they amount to.
//! - `summary`: folds for people.
//! - `frame`: the bytes between an agent and whoever asks it.

pub mod duration;
pub mod expr;
pub mod frame;
pub mod glob;
pub mod junit;
pub mod lint;
pub mod plan;
pub mod resolve;
pub mod run;
pub mod source;
pub mod split;
pub mod summary;
pub mod workflow;
