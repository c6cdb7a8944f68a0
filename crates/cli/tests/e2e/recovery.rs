//! The real binary is killed at random moments; `recover` brings the run to the same end.

use std::{fs, time::Duration};

use crate::harness::{Chance, Place, fixture};

/// What an undisturbed run writes into its ledger, in some order.
pub(crate) const LEDGER: &[&str] =
    &["child", "first", "flaky", "flaky", "last", "worker 0", "worker 1", "worker 2", "worker 3"];

#[test]
fn a_run_that_is_killed_ten_times_ends_as_if_nothing_had_happened() {
    let (seed, mut chance) = Chance::seeded();
    let place = Place::new();
    let ledger = place.path().join("ledger");
    let config = format!("ledger={}", ledger.display());
    let file = fixture("many-steps");
    // Named, because a run that is killed before its folder is there has taken a number.
    let run = ["run", file.to_str().unwrap(), "-c", &config, "-n", "many-steps-1"];
    let mut child = place.start(&run);
    let mut ended = None;
    for kill in 0..10 {
        let moment = Duration::from_millis(20 + chance.below(450));
        std::thread::park_timeout(moment);
        if let Some(status) = child.try_wait().unwrap() {
            ended = Some(status);
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        println!("kill {kill} after {moment:?}");
        if place.ok(&["ls"]).stdout.is_empty() {
            // Killed before there was anything to recover: nothing has run either.
            assert!(!ledger.exists(), "seed {seed}: a command ran without a trace in the log");
            child = place.start(&run);
        } else {
            child = place.start(&["recover", "many-steps-1"]);
        }
    }
    let status = ended.unwrap_or_else(|| child.wait().unwrap());
    let text = place.logs(&["many-steps-1"]);
    assert!(status.success(), "seed {seed}: {status}\n{text}");
    let mut lines: Vec<String> = fs::read_to_string(&ledger).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, LEDGER, "seed {seed}: a command ran twice, or not at all");
    assert!(text.ends_with("0123\n"), "seed {seed}: {text}");
    let names = place.artifacts("many-steps-1");
    for worker in 1..=4 {
        let name = format!("with_service-parallel/{worker}/data/out/index.txt");
        assert!(names.contains(&name), "seed {seed}: {name} is not among {names:?}");
    }
    let left: Vec<_> = crate::harness::files(&place.path().join("state/executions"))
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "units"))
        .collect();
    assert!(left.is_empty(), "seed {seed}: units are left: {left:?}");
}
