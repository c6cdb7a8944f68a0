//! What an author may write: the one table of fields, and the documents read and checked by it.
//!
//! [`load`] reads files up to a [`Layer`]: YAML, then shapes, then texts. Each document stops at its first layer with
//! an error, after all findings of that layer. What a document means for a run is left to `resolve` and `plan`.

mod document;
mod ids;
mod load;
mod near;
mod shape;
pub mod table;
#[cfg(test)]
mod tests;
mod text;
mod visit;

pub use document::{Document, DocumentKind, Documents};
pub use ids::{StepId, each_step, is_step_id, step_ids};

pub use load::{Layer, Reading, load, prune};
pub use near::nearest;
pub use text::FUNCTIONS;
pub use visit::{Text, TextKind, each_field, each_object, each_text};
