//! Text, spans, YAML trees and [`Diagnostic`]s: everything later modules need to say *where* something is wrong.
//!
//! A file becomes ordered, spanned [`Node`] trees, one a document; what a plain scalar means is decided by a
//! [`Scalars`] table, since a workflow must mean what it means on a cluster and `yaml()` what go-yaml v3 says.
//! What the trees mean is left to `workflow`.

mod compose;
mod decode;
mod diagnostic;
mod entries;
mod inside;
mod marks;
mod mistakes;
mod node;
mod path;
mod scalars;
mod span;
mod tree_serde;

pub use compose::{Limits, Parsed, parse, parse_first};
pub use decode::DecodeError;
pub use diagnostic::{Diagnostic, Severity};
pub use node::{Key, Kind, Map, Node};
pub use path::Path;
pub use scalars::Scalars;
pub use span::{Finding, Location, SourceFile, Sources, Span};
