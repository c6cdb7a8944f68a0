//! The simulator and what is kept in memory do what all others do.

use std::sync::Arc;

use testudo_engine::{
    Journal,
    sim::{MemoryJournal, SimRunner, World},
    suites::Shelf,
};

testudo_engine::runner_suite!(simulator, SimRunner, SimRunner::new(World::new(1)));
testudo_engine::journal_suite!(memory, Memory::default());

#[derive(Default)]
struct Memory(Arc<MemoryJournal>);

impl Shelf for Memory {
    fn open(&self) -> Arc<dyn Journal> {
        self.0.clone()
    }
}
