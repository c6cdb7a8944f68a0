//! Which instances of a block a place can make in one: all of a `parallel` block, or of one service, when nothing but
//! what their commands do tells them apart.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    plan,
    run::{BlockRef, Instance, UnitKey, Work},
};

/// Marks instances that can be made in one. They are in groups already: a service's, or all of a block.
pub(super) fn mark(instances: &mut [Instance], unit: &UnitKey, r#ref: &str, attempt: u32, parallelism: usize) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, instance) in instances.iter().enumerate() {
        groups.entry(instance.group.clone()).or_default().push(at);
    }
    for (group, members) in groups {
        if members.len() < 2 || !are_alike(members.iter().map(|at| &instances[*at].work)) {
            continue;
        }
        let place = place(unit, r#ref, &group, attempt);
        let units: Arc<[UnitKey]> = members.iter().map(|at| instances[*at].key.clone()).collect();
        let parallelism = parallelism.clamp(1, members.len());
        for (index, at) in members.into_iter().enumerate() {
            let (place, units) = (place.clone(), units.clone());
            instances[at].block = Some(BlockRef { place, index, units, parallelism, closing: false });
        }
    }
}

fn are_alike<'a>(works: impl Iterator<Item = &'a Work>) -> bool {
    let mut first = None;
    for work in works {
        let Work::Unit(unit) = work else { return false };
        let shape = plan::shape(unit);
        if *first.get_or_insert_with(|| shape.clone()) != shape {
            return false;
        }
    }
    true
}

/// Where the block hangs: the unit that carries it, the step, a service's name, the attempt of the step.
fn place(unit: &UnitKey, r#ref: &str, group: &str, attempt: u32) -> String {
    let mut place = if *unit == UnitKey::main() { r#ref.to_owned() } else { format!("{unit}/{ref}") };
    if !group.is_empty() {
        place = format!("{place}/{group}");
    }
    if place == UnitKey::main().place {
        // So is a unit called.
        place.push_str("/*");
    }
    if attempt > 0 { format!("{place}~{attempt}") } else { place }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use insta::assert_snapshot;
    use jiff::Timestamp;

    use crate::{
        plan::{self, Context, Operation, Place, Platform},
        run::{Event, Execution, Report, Request, UnitKey},
        source::{Scalars, parse_first},
    };

    /// The units that are wanted once the first step with a block asks for it, with the blocks they are made in.
    fn blocks(place: Place, spec: &str) -> String {
        let spec = parse_first(spec, Scalars::Kubernetes).unwrap();
        let platform = Platform { place, ..Platform::default() };
        let plan = plan::build(&spec, &Context { platform, ..Context::default() }).unwrap();
        let asks = |step: &plan::Step| match step.operation {
            Some(Operation::Parallel(_)) => Some(Request::Parallel { answers: Vec::new() }),
            Some(Operation::StartServices { .. }) => Some(Request::Services { answers: Vec::new() }),
            _ => None,
        };
        let (step, request) =
            plan.main.steps.iter().enumerate().find_map(|(at, step)| Some((at, asks(step)?))).unwrap();
        let mut execution = Execution::replay(plan.into(), &[]).unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let unit = UnitKey::main();
        let asked = Report::Requested { step, attempt: 0, request };
        let reports = [Report::Entered { step }, Report::Started { step, attempt: 0 }, asked];
        let met = Event::Met { unit: unit.clone(), life: "a".to_owned(), address: None, at };
        let reports = reports.into_iter().zip(1..).map(|(report, seq)| {
            let (unit, life) = (unit.clone(), "a".to_owned());
            Event::Reported { unit, life, seq, at, report }
        });
        for event in [Event::Created { at }, met].into_iter().chain(reports) {
            execution.apply(&event).unwrap();
        }
        let mut out = String::new();
        for (key, want) in execution.wanted().unwrap().units {
            let _ = match want.block {
                Some(one) => {
                    writeln!(
                        out,
                        "{key}: {} {} of {}, {} at a time",
                        one.place,
                        one.index,
                        one.units.len(),
                        one.parallelism
                    )
                }
                None => writeln!(out, "{key}"),
            };
        }
        out
    }

    #[test]
    fn workers_that_differ_in_their_commands_alone_are_made_in_one() {
        let spec = "{steps: [{name: tests, parallel: {count: 3, parallelism: 2, shell: 'make {{ index }}'}}]}";
        assert_snapshot!(blocks(Place::Kube, spec), @"
        main
        tests/0: tests 0 of 3, 2 at a time
        tests/1: tests 1 of 3, 2 at a time
        ");
        assert_snapshot!(blocks(Place::Process, spec), @"
        main
        tests/0
        tests/1
        ");
    }

    #[test]
    fn one_that_is_unlike_the_others_is_enough_to_make_all_by_themselves() {
        assert_snapshot!(blocks(Place::Kube, "
            steps: [{name: tests, parallel: {count: 3, shell: make, pod: {labels: {last: '{{ index == 2 }}'}}}}]
        "), @"
        main
        tests/0
        tests/1
        tests/2
        ");
    }

    #[test]
    fn services_are_made_in_one_by_their_names() {
        assert_snapshot!(blocks(Place::Kube, "
            services: {db: {count: 2, image: mongo, command: [mongod]}, web: {image: nginx, command: [nginx]}}
            steps: [{shell: make}]
        "), @"
        main
        services/db/0: services/db 0 of 2, 2 at a time
        services/db/1: services/db 1 of 2, 2 at a time
        services/web/0
        ");
    }

    #[test]
    fn no_block_is_called_as_a_unit_is() {
        assert_snapshot!(blocks(Place::Kube, "{steps: [{name: main, parallel: {count: 2, shell: make}}]}"), @"
        main
        main/0: main/* 0 of 2, 2 at a time
        main/1: main/* 1 of 2, 2 at a time
        ");
    }
}
