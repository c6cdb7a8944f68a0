//! Many units at once.

use std::time::{Duration, Instant};

use testudo_core::run::Status;
use testudo_engine::sim::Simulation;

/// What a thousand workers may take here, whatever they take in their own time.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_thousand_workers_a_hundred_at_a_time_are_done_before_anybody_gets_impatient() {
    let yaml = "
kind: TestWorkflow
metadata: {name: w}
spec:
  steps:
  - name: tests
    parallel:
      count: 1000
      parallelism: 100
      shell: 'sleep {{ index % 7 }}; exit {{ index == 500 ? 1 : 0 }}'
";
    let simulation = Simulation::new(1, yaml).unwrap();
    let begun = Instant::now();
    let ended = simulation.run().unwrap();
    assert_eq!(ended.complaints(), Vec::<String>::new());
    assert_eq!((ended.status, ended.book.ran.len()), (Some(Status::Failed), 1000));
    let took = begun.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
    println!("{took:?}");
}
