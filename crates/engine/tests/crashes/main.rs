//! Cut a run anywhere, as often as you like, and it ends the same, with no command run twice and nothing left behind.
//!
//! Each case is a seed: a workflow, a world, and what befalls them. `TESTUDO_SOAK` says how many cases there are,
//! `TESTUDO_SEED` which one to look at alone.

mod generate;

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use testudo_core::run::{BlockKind, Ending, Execution, Status, StopHow, UnitKey};
use testudo_engine::{
    Control,
    sim::{At, Chance, Ended, Faults, Simulation, Start},
};

/// Cases in an ordinary run, for each test.
const CASES: u64 = 40;

/// Runs cases, and says which one failed.
fn cases(name: &str, case: impl Fn(u64, &mut Chance) -> Result<(), String>) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("TESTUDO_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TESTUDO_SOAK").unwrap_or(CASES)).collect(),
    };
    let mut failed = 0;
    for seed in &seeds {
        if let Err(error) = case(*seed, &mut Chance::about(*seed, name)) {
            eprintln!("TESTUDO_SEED={seed} {name}: {error}\n");
            failed += 1;
        }
    }
    assert_eq!(failed, 0, "{name}: {failed} of {} cases failed", seeds.len());
}

fn simulation(seed: u64) -> Simulation {
    let yaml = generate::workflows(seed);
    let mut simulation = Simulation::new(seed, &yaml).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{yaml}"));
    let files = ["a", "b", "c"].map(|name| (format!("/data/shared/{name}"), name.to_owned()));
    simulation.world.files = files.into_iter().collect();
    simulation
}

fn run(simulation: &Simulation) -> Result<Ended, String> {
    let ended = simulation.run().map_err(|error| format!("{error}\n{}", describe(simulation)))?;
    match ended.complaints().as_slice() {
        [] => Ok(ended),
        complaints => Err(failure(simulation, &ended, &complaints.join("\n"))),
    }
}

fn failure(simulation: &Simulation, ended: &Ended, what: &str) -> String {
    let log = if std::env::var_os("TESTUDO_SEED").is_some() { ended.log() } else { String::new() };
    format!("{what}\n{log}{}\nerrors {:?}, {} engines", describe(simulation), ended.errors, ended.engines)
}

fn describe(simulation: &Simulation) -> String {
    let seed = simulation.world.seed;
    let yaml = if std::env::var_os("TESTUDO_SEED").is_some() { generate::workflows(seed) } else { String::new() };
    let Simulation { faults, engines, controls, .. } = simulation;
    format!("{yaml}\nseed {seed}, {faults:?}, {engines:?}, {controls:?}")
}

/// The run with nothing gone wrong.
fn undisturbed(simulation: &Simulation) -> Result<Ended, String> {
    let quiet =
        Simulation { faults: Faults::default(), engines: Vec::new(), controls: Vec::new(), ..simulation.clone() };
    let ended = run(&quiet)?;
    let left: Vec<_> = ended.present.iter().map(At::to_string).collect();
    if left.is_empty() { Ok(ended) } else { Err(failure(&quiet, &ended, &format!("left there: {}", left.join(", ")))) }
}

/// How often the logs were added to, at most.
fn appends(ended: &Ended) -> u64 {
    ended.stores.values().map(|store| store.journal.events().len() as u64).sum()
}

/// What has to be the same however often a run is cut: every step of every unit, but for workers in blocks where a
/// failure ends the others, which are ended sooner or later as it happens.
fn outcome(ended: &Ended) -> BTreeMap<String, Status> {
    let steps = ended.steps().into_iter();
    steps
        .filter(|((execution, unit, _), _)| !hangs_in_race(&ended.executions[execution], unit))
        .map(|((execution, unit, step), status)| (format!("{execution} {unit} {step}"), status))
        .collect()
}

fn hangs_in_race(execution: &Execution, unit: &UnitKey) -> bool {
    let carrier = execution.unit(unit).and_then(|unit| unit.carrier.as_ref());
    carrier.is_some_and(|(carrier, step, _, _)| {
        let races = execution.block(carrier, *step).is_some_and(|block| block.max_failures.is_some());
        races || hangs_in_race(execution, carrier)
    })
}

/// The names of all units.
fn units(ended: &Ended) -> Vec<String> {
    ended.executions.values().flat_map(|execution| execution.units().map(|(key, _)| key.to_string())).collect()
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {found:?} where {expected:?} was expected")) }
}

fn compare(expected: &Ended, found: &Ended) -> Result<(), String> {
    same("status", &expected.status, &found.status)?;
    let (expected, found) = (outcome(expected), outcome(found));
    let all: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    all.into_iter().try_for_each(|step| same(step, &expected.get(step), &found.get(step)))
}

#[test]
fn the_death_of_engines_changes_nothing() {
    cases("engines", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        simulation.engines = generate::engines(chance, appends(&whole), Duration::from_mins(4));
        let cut = run(&simulation)?;
        compare(&whole, &cut).map_err(|what| failure(&simulation, &cut, &what))
    });
}

#[test]
fn broken_ways_to_units_change_nothing() {
    cases("ways", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        simulation.faults.odds = generate::odds(chance);
        let cut = run(&simulation)?;
        compare(&whole, &cut).map_err(|what| failure(&simulation, &cut, &what))
    });
}

#[test]
fn engines_that_die_while_ways_break_change_nothing() {
    cases("both", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        simulation.faults.odds = generate::odds(chance);
        simulation.engines = generate::engines(chance, appends(&whole), Duration::from_mins(4));
        let cut = run(&simulation)?;
        compare(&whole, &cut).map_err(|what| failure(&simulation, &cut, &what))
    });
}

#[test]
fn a_unit_whose_agent_falls_is_aborted_and_nothing_else_is_lost() {
    cases("agents", |seed, chance| {
        let mut simulation = simulation(seed);
        undisturbed(&simulation)?;
        simulation.faults = generate::agents(chance);
        let cut = run(&simulation)?;
        for at in &cut.book.struck {
            let unit = cut.executions[&at.execution].unit(&at.unit).ok_or_else(|| format!("{at} is not known"))?;
            let whole = cut.book.left.get(at).is_some_and(|left| left.over.is_some_and(|over| over != Status::Aborted));
            if !whole && unit.verdict() != Some(Status::Aborted) {
                let what = format!("{at} was struck, and ended {:?}", unit.verdict());
                return Err(failure(&simulation, &cut, &what));
            }
        }
        Ok(())
    });
}

#[test]
fn units_that_nobody_came_for_have_stopped_in_order() {
    cases("orphans", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        simulation.engines = generate::engines(chance, appends(&whole), Duration::from_mins(40));
        let cut = run(&simulation)?;
        if cut.book.orphaned.is_empty() {
            return compare(&whole, &cut).map_err(|what| failure(&simulation, &cut, &what));
        }
        for (id, execution) in &cut.executions {
            for (key, unit) in execution.units() {
                let at = At { execution: id.clone(), unit: key.clone() };
                let stopped = matches!(unit.run.stopping(), Some((Ending::Aborted, _)));
                if !stopped && cut.book.orphaned.contains(&at) && unit.verdict().is_none() {
                    return Err(failure(&simulation, &cut, &format!("{at} has no end")));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_stop_ends_everything_whatever_else_happens() {
    cases("stops", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        let how = *chance.pick(&[StopHow::Cancel, StopHow::Abort, StopHow::Kill]);
        simulation.controls = vec![(chance.millis(0, 15_000), Control::Stop(how, "enough".to_owned()))];
        if chance.percent(50) {
            simulation.engines = generate::engines(chance, appends(&whole), Duration::from_mins(4));
        }
        if chance.percent(50) {
            simulation.faults.odds = generate::odds(chance);
        }
        let cut = run(&simulation)?;
        let stopped = match how.ending() {
            Ending::Canceled => Status::Canceled,
            Ending::Aborted => Status::Aborted,
        };
        if cut.status == Some(stopped) || cut.status == whole.status {
            return Ok(());
        }
        Err(failure(&simulation, &cut, &format!("it ended {:?}", cut.status)))
    });
}

#[test]
fn a_unit_that_never_comes_to_be_holds_nothing_up_for_ever() {
    cases("starts", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        let start = if chance.percent(50) { Start::Never } else { Start::Refused("there is no room".to_owned()) };
        simulation.world.starts.insert(chance.pick(&units(&whole)).clone(), start);
        run(&simulation).map(drop)
    });
}

#[test]
fn pauses_and_resumes_change_nothing() {
    cases("pauses", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        simulation.controls = (0..=chance.below(3)).map(|_| (chance.millis(0, 20_000), Control::Pause)).collect();
        if chance.percent(50) {
            simulation.engines = generate::engines(chance, appends(&whole), Duration::from_mins(4));
        }
        let cut = run(&simulation)?;
        compare(&whole, &cut).map_err(|what| failure(&simulation, &cut, &what))
    });
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    cases("twice", |seed, chance| {
        if seed % 10 != 0 {
            return Ok(());
        }
        let mut simulation = simulation(seed);
        simulation.faults.odds = generate::odds(chance);
        simulation.engines = generate::engines(chance, 50, Duration::from_mins(4));
        let (first, second) = (run(&simulation)?, run(&simulation)?);
        same("log", &first.log(), &second.log())
    });
}

#[test]
fn what_has_changed_adds_up_to_what_is_wanted() {
    cases("changes", |seed, chance| {
        let mut simulation = simulation(seed);
        let whole = undisturbed(&simulation)?;
        if chance.percent(50) {
            let how = *chance.pick(&[StopHow::Cancel, StopHow::Kill]);
            simulation.controls = vec![
                (chance.millis(0, 10_000), Control::Pause),
                (chance.millis(0, 20_000), Control::Stop(how, "enough".to_owned())),
            ];
            simulation.world.starts.insert(chance.pick(&units(&whole)).clone(), Start::Never);
        }
        let ended = run(&simulation)?;
        ended.stores.values().try_for_each(|store| {
            let mut execution = Execution::replay(store.plan.clone(), &[]).map_err(|corrupt| corrupt.to_string())?;
            let mut units = BTreeMap::new();
            for (offset, event) in store.journal.events().iter().enumerate() {
                let Some(changes) = execution.changes() else { break };
                units.retain(|key, _| !changes.gone.contains(key));
                units.extend(changes.units);
                let wanted = execution.wanted().map(|wanted| wanted.units).unwrap_or_default();
                let wrong = units.keys().chain(wanted.keys()).find(|key| units.get(key) != wanted.get(key));
                if let Some(key) = wrong {
                    return Err(format!("{key} at {offset}: {:?} is not {:?}", units.get(key), wanted.get(key)));
                }
                execution.apply(event).map_err(|corrupt| corrupt.to_string())?;
            }
            Ok(())
        })
    });
}

#[test]
fn blocks_are_of_every_kind() {
    // The generator is of use only while it still makes everything.
    let mut kinds = BTreeMap::new();
    for seed in 0..CASES {
        let ended = undisturbed(&simulation(seed)).unwrap();
        for execution in ended.executions.values() {
            for (key, _) in execution.units() {
                for (_, _, block) in execution.blocks_of(key) {
                    let kind = match block.kind {
                        BlockKind::Parallel => "parallel",
                        BlockKind::Services => "services",
                        BlockKind::Execute { .. } => "execute",
                    };
                    *kinds.entry(kind).or_insert(0) += block.instances.len();
                }
            }
        }
    }
    assert!(kinds.len() == 3 && kinds.values().all(|count| *count > 20), "{kinds:?}");
}
