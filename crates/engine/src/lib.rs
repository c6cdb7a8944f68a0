//! Drives executions: makes what is under way match what the fold says is wanted, and writes down what happens.
//!
//! There is no recovery code. [`drive`] asks the execution what ought to be under way, makes its tasks match, waits for
//! the next facts, appends them, believes them, tells whoever listens. After a crash no task is live, so all that is
//! wanted is missing and gets started: `ensure` finds the unit already there, and over `connect` its reports carry on
//! where the log ends.
//!
//! The ports that it calls are here too: [`Runner`] (where units live), [`Journal`] (the log), [`Blobs`] (bytes that are
//! kept), [`Catalog`] (workflows that others start) and [`Groups`] (executions that wait for one another).

mod audience;
mod clock;
mod drive;
mod link;
mod ports;
mod queue;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "sim")]
pub mod suites;
mod tend;
mod values;

pub use audience::{Audience, News, Silent};
pub use clock::Clock;
pub use drive::{Control, Drive, DriveError, Given, Job, drive};
pub use link::{Frames, Hearer, Link, LinkError, Sayer};
pub use ports::{
    BlobError, Blobs, Catalog, Duplex, Journal, JournalError, Parent, Prepared, Reap, Runner, RunnerError, Sighting,
    UnitSpec,
};
pub use queue::{Entering, Groups, Member, Standing, Ticket, Turn, standing};
