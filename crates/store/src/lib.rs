//! Where things are kept: the file-backed half.
//!
//! An execution is a folder `executions/<id>` with its plan, its log, its key, a lock that its engine holds, and what
//! was kept of its units. [`State`] finds executions, gives out numbers and implements the engine's `Groups`; [`Folder`] is
//! one execution, and implements the engine's `Journal` and `Blobs`.

mod artifacts;
mod blobs;
mod folder;
mod groups;
mod journal;
mod records;
mod sealed;
mod state;

pub use folder::{Folder, Meta, StoreError};
pub use journal::LogTail;
pub use records::{Lines, OutputReader, stamp};
pub use state::State;
