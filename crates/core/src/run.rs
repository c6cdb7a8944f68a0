//! What happens, and what it amounts to.
//!
//! [`Report`]s are what an agent says of its unit; [`UnitRun`] folds them, for the agent that made them and for the
//! engine that hears them. [`Event`]s are what an engine logs; [`Execution`] folds those. Both answer one question
//! purely: what ought to be under way ([`UnitRun::next`], [`Execution::wanted`]).

mod answers;
mod block;
mod event;
mod execution;
mod names;
mod report;
mod scope;
mod status;
mod unit;
pub mod veil;
mod wanted;

pub use crate::plan::ChildRequest;
pub use answers::{Recorder, question};
pub use block::{Block, BlockKind, Instance, InstancePhase, Stopper, Work};
pub use event::{ChildEnd, Event, Fetched, Seen, StopHow, Timer};
pub use execution::{Corrupt, Execution, Unit, UnitPhase, blocks::pack_origin};
pub use names::{ExecutionId, UnitKey};
pub use report::{
    Answer, Case, CaseStatus, Ending, Entries, Outcome, PackPurpose, Report, Request, Told, Values, Word, WordId,
};
pub use scope::{RunScope, results};
pub use status::Status;
pub use unit::{Next, PARENT, RELATIVE, StepState, UnitRun};
pub use wanted::{BlockRef, ChildWant, Keep, ReapHow, UnitWant, Wanted};
