//! A place without machines: everything that an engine meets, on virtual time, from a seed.
//!
//! [`SimRunner`] is a [`Runner`](crate::Runner) whose units are tasks. Their agents speak the frames that all agents
//! speak, fold the same reports and ask the same expressions; only what commands do is read from their text
//! ([`script`]) and what else there is from a [`World`]. [`Faults`] befall agents and connections. Logs and bytes are
//! kept in memory ([`MemoryJournal`], [`MemoryBlobs`], [`MemoryCatalog`],
//! [`MemoryGroups`]). [`Simulation`] runs whole executions in such
//! a place, kills the engines that drive them, and says how it ended.
//!
//! Nothing here reads a clock or rolls dice of its own: a seed and a plan give the same run, today and in a year.

mod agent;
mod book;
mod chance;
mod engine;
mod faults;
mod groups;
mod memory;
mod runner;
mod script;
mod simulation;
mod wire;
mod workflows;
mod world;

pub use book::{At, Book, Left};
pub use chance::Chance;
pub use engine::{EngineEnd, EngineFault, Moment};
pub use faults::{AgentEnd, AgentFault, Faults, Odds};
pub use groups::MemoryGroups;
pub use memory::{MemoryBlobs, MemoryCatalog, MemoryJournal, Planner, Store};
pub use runner::SimRunner;
pub use simulation::{EXECUTION, Ended, Simulation, on_virtual_time};
pub use wire::Fate;
pub use workflows::Workflows;
pub use world::{Start, World};

use wire::Wire;
