//! What every [`Runner`] has to do.

use std::{future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use testudo_core::{
    frame::{Ask, Down, MAX_READ, Numbered, Source, Up},
    plan::Identity,
    run::{Report, UnitKey, Values, Word, WordId},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Frames, Link, Reap, Runner, Sighting, UnitSpec,
    sim::{SimRunner, Workflows, on_virtual_time},
};

/// A place where a runner is tried.
pub trait Premises {
    fn runner(&self) -> &dyn Runner;
    /// Kills the agent of a unit, past the runner.
    fn kill(&self, unit: &UnitSpec);
    /// Whether anything of the unit runs. `mark` stands in the command of each process that the test had it start.
    fn runs(&self, unit: &UnitSpec, mark: &str) -> bool;
    /// Runs a test in the time of this place.
    fn carry<T>(test: impl Future<Output = T>) -> T
    where
        Self: Sized;
}

impl Premises for SimRunner {
    fn runner(&self) -> &dyn Runner {
        self
    }

    fn kill(&self, unit: &UnitSpec) {
        SimRunner::kill(self, unit);
    }

    fn runs(&self, unit: &UnitSpec, _: &str) -> bool {
        self.alive().iter().any(|at| at.execution == unit.execution && at.unit == unit.key)
    }

    fn carry<T>(test: impl Future<Output = T>) -> T {
        on_virtual_time(test)
    }
}

/// Tests that a runner is one: `runner_suite!(name, Type, new place)`. Attributes before the name are those of each test.
#[macro_export]
macro_rules! runner_suite {
    ($(#[$attribute:meta])* $name:ident, $premises:ty, $new:expr) => {
        mod $name {
            use super::*;
            $crate::runner_suite!(@each [$(#[$attribute])*], $premises, $new;
                asking_for_a_unit_twice_is_asking_once,
                a_unit_that_died_is_gone_and_not_made_again_before_it_is_reaped,
                a_unit_begins_only_when_told,
                what_is_seen_of_a_unit_starts_with_now_and_ends_with_its_end,
                reports_resume_after_the_last_that_was_heard,
                several_may_be_connected_at_once,
                reaping_what_is_not_there_is_success,
                a_reaped_unit_is_gone_and_everything_it_ran_with_it,
                a_read_resumes_at_an_offset,
                a_word_said_twice_is_obeyed_once,
                a_unit_goes_by_itself_when_it_has_heard_that_it_may,
            );
        }
    };
    (@each $attributes:tt, $premises:ty, $new:expr; $($behavior:ident,)+) => {
        $($crate::runner_suite!(@one $attributes, $premises, $new; $behavior);)+
    };
    (@one [$($attribute:tt)*], $premises:ty, $new:expr; $behavior:ident) => {
        #[test]
        $($attribute)*
        fn $behavior() {
            <$premises as $crate::suites::Premises>::carry(async {
                $crate::suites::runner::$behavior(&$new).await;
            });
        }
    };
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A unit that runs a script.
fn unit(script: &str) -> UnitSpec {
    let spec = serde_json::json!({"steps": [{"name": "one", "shell": script}]});
    let workflow = serde_json::json!({"kind": "TestWorkflow", "metadata": {"name": "suite"}, "spec": spec});
    let workflows = Workflows::read(&workflow.to_string()).expect("the workflow is sound");
    let identity = Identity { id: "suite".to_owned(), name: "suite".to_owned(), ..Identity::default() };
    let plan = workflows.plan("suite", identity, &std::collections::BTreeMap::new()).expect("it can be planned");
    let (execution, plan) = ("suite".to_owned(), Arc::new(plan.main));
    UnitSpec { execution, key: UnitKey::main(), plan, block: None, leave: false }
}

/// Somebody who talks to a unit's agent.
struct Visitor {
    link: Link,
    life: String,
    seq: u64,
}

impl Visitor {
    /// Connects as soon as that can be done.
    async fn meet(place: &impl Premises, unit: &UnitSpec) -> Self {
        let begun = Instant::now();
        loop {
            match place.runner().connect(unit).await {
                Ok(stream) => {
                    let mut link = Link::new(stream);
                    match timeout(PATIENCE, link.next::<Up>()).await.expect("an agent says hello") {
                        Ok(Frames::Control(Up::Hello(hello))) => {
                            assert_eq!(hello.unit, unit.key.to_string());
                            return Visitor { link, life: hello.life, seq: hello.seq };
                        }
                        other => panic!("an agent says hello first, not {other:?}"),
                    }
                }
                Err(error) => assert!(begun.elapsed() < PATIENCE, "nobody answers: {error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn say(&mut self, down: Down) {
        self.link.say(&down).await.expect("the agent listens");
    }

    async fn word(&mut self, id: &str, word: Word) {
        self.say(Down::Word { id: WordId(id.to_owned()), word }).await;
    }

    async fn begin(&mut self, unit: &UnitSpec) {
        self.say(Down::Welcome { seq: 0 }).await;
        self.word("begin", Word::Begin { plan: unit.plan.clone(), values: Box::<Values>::default() }).await;
    }

    /// Whatever comes within a time.
    async fn next(&mut self, within: Duration) -> Option<Frames<Up>> {
        Some(timeout(within, self.link.next::<Up>()).await.ok()?.expect("the agent speaks"))
    }

    /// Reports up to one that `last` holds for.
    async fn reports(&mut self, last: impl Fn(&Report) -> bool) -> Vec<Numbered> {
        let mut reports = Vec::new();
        loop {
            match self.next(PATIENCE).await {
                Some(Frames::Control(Up::Report(numbered))) => {
                    let over = last(&numbered.report);
                    reports.push(numbered);
                    if over {
                        return reports;
                    }
                }
                Some(_) => {}
                None => panic!("no such report came; there were {reports:?}"),
            }
        }
    }

    /// Bytes of the output.
    async fn read(&mut self, from: u64) -> Vec<u8> {
        self.say(Down::Ask(Ask::Read { read: 1, source: Source::Output, from, length: MAX_READ })).await;
        let mut bytes = Vec::new();
        loop {
            match self.next(PATIENCE).await.expect("a read is answered") {
                Frames::Data(1, more) => bytes.extend(more),
                Frames::Control(Up::Answered(answered)) => {
                    assert_eq!((answered.read, answered.error), (1, None));
                    return bytes;
                }
                _ => {}
            }
        }
    }
}

fn is_started(report: &Report) -> bool {
    matches!(report, Report::Started { .. })
}

fn is_over(report: &Report) -> bool {
    matches!(report, Report::Over { .. })
}

/// Waits until the place says that a unit is gone.
async fn wait_until_gone(place: &impl Premises, unit: &UnitSpec) {
    let mut sightings = place.runner().observe(unit);
    let gone = async {
        while let Some(sighting) = sightings.next().await {
            if let Sighting::Gone { .. } | Sighting::Ended { .. } = sighting {
                return;
            }
        }
        panic!("it ended without a word");
    };
    timeout(PATIENCE, gone).await.expect("whoever is gone is seen as gone");
}

async fn ensure(place: &impl Premises, unit: &UnitSpec) {
    place.runner().ensure(unit).await.expect("the unit can be made");
}

async fn reap(place: &impl Premises, unit: &UnitSpec, how: Reap) {
    place.runner().reap(unit, how).await.expect("the unit can be reaped");
}

pub async fn asking_for_a_unit_twice_is_asking_once(place: &impl Premises) {
    let unit = unit("sleep 1");
    ensure(place, &unit).await;
    ensure(place, &unit).await;
    let first = Visitor::meet(place, &unit).await.life;
    ensure(place, &unit).await;
    assert_eq!(Visitor::meet(place, &unit).await.life, first);
    reap(place, &unit, Reap::Now).await;
}

pub async fn a_unit_that_died_is_gone_and_not_made_again_before_it_is_reaped(place: &impl Premises) {
    let unit = unit("sleep 1");
    ensure(place, &unit).await;
    let first = Visitor::meet(place, &unit).await.life;
    place.kill(&unit);
    wait_until_gone(place, &unit).await;
    ensure(place, &unit).await;
    wait_until_gone(place, &unit).await;
    assert!(place.runner().connect(&unit).await.is_err(), "nobody is there");
    reap(place, &unit, Reap::Now).await;
    ensure(place, &unit).await;
    assert_ne!(Visitor::meet(place, &unit).await.life, first);
    reap(place, &unit, Reap::Now).await;
}

pub async fn a_unit_begins_only_when_told(place: &impl Premises) {
    let unit = unit("sleep 1");
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    assert_eq!(visitor.seq, 0);
    visitor.say(Down::Welcome { seq: 0 }).await;
    let begun = Instant::now();
    while let Some(said) = visitor.next(Duration::from_millis(700).saturating_sub(begun.elapsed())).await {
        assert!(!matches!(said, Frames::Control(Up::Report(_))), "it idles, and said {said:?}");
    }
    visitor.begin(&unit).await;
    let reports = visitor.reports(is_over).await;
    assert_eq!(reports.iter().filter(|numbered| is_started(&numbered.report)).count(), 1);
    reap(place, &unit, Reap::Now).await;
}

pub async fn what_is_seen_of_a_unit_starts_with_now_and_ends_with_its_end(place: &impl Premises) {
    let unit = unit("sleep 1");
    wait_until_gone(place, &unit).await;
    ensure(place, &unit).await;
    Visitor::meet(place, &unit).await;
    let mut sightings = place.runner().observe(&unit);
    // The place may hear of it later than whoever talks to it, and have more to say of it afterwards.
    let mut seen = async |until: &str, is_it: fn(&Sighting) -> bool| {
        let come = async {
            loop {
                let sighting = sightings.next().await.expect("it says more until the unit is gone");
                if is_it(&sighting) {
                    return;
                }
                assert!(!matches!(sighting, Sighting::Gone { .. }), "before it is {until}: {sighting:?}");
            }
        };
        timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("it never says that the unit is {until}"));
    };
    seen("there", |sighting| matches!(sighting, Sighting::Present { .. })).await;
    place.kill(&unit);
    seen("gone", |sighting| matches!(sighting, Sighting::Gone { .. })).await;
    assert_eq!(timeout(PATIENCE, sightings.next()).await.expect("nothing follows"), None);
    reap(place, &unit, Reap::Now).await;
}

pub async fn reports_resume_after_the_last_that_was_heard(place: &impl Premises) {
    let unit = unit("sleep 0.3");
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    visitor.reports(is_started).await;
    drop(visitor);
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.say(Down::Welcome { seq: 0 }).await;
    let all = visitor.reports(is_over).await;
    let numbers: Vec<u64> = all.iter().map(|numbered| numbered.seq).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    for heard in [0, 2, all.len() - 1] {
        let mut visitor = Visitor::meet(place, &unit).await;
        assert_eq!(visitor.seq, all.len() as u64);
        visitor.say(Down::Welcome { seq: heard as u64 }).await;
        assert_eq!(visitor.reports(is_over).await, all[heard..]);
    }
    reap(place, &unit, Reap::Now).await;
}

pub async fn several_may_be_connected_at_once(place: &impl Premises) {
    let unit = unit("sleep 0.3");
    ensure(place, &unit).await;
    let mut first = Visitor::meet(place, &unit).await;
    let mut second = Visitor::meet(place, &unit).await;
    second.say(Down::Welcome { seq: 0 }).await;
    first.begin(&unit).await;
    assert_eq!(first.reports(is_over).await, second.reports(is_over).await);
    reap(place, &unit, Reap::Now).await;
}

pub async fn reaping_what_is_not_there_is_success(place: &impl Premises) {
    let unit = unit("sleep 1");
    reap(place, &unit, Reap::Gently).await;
    ensure(place, &unit).await;
    Visitor::meet(place, &unit).await;
    reap(place, &unit, Reap::Now).await;
    reap(place, &unit, Reap::Now).await;
    reap(place, &unit, Reap::Gently).await;
}

pub async fn a_reaped_unit_is_gone_and_everything_it_ran_with_it(place: &impl Premises) {
    let mark = "98765.125";
    let unit = unit(&format!("sleep {mark} & sleep {mark}"));
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    visitor.reports(is_started).await;
    let begun = Instant::now();
    while !place.runs(&unit, mark) {
        assert!(begun.elapsed() < PATIENCE, "what was started runs");
        sleep(Duration::from_millis(20)).await;
    }
    reap(place, &unit, Reap::Now).await;
    assert!(!place.runs(&unit, mark), "something is left of it");
    wait_until_gone(place, &unit).await;
    assert!(place.runner().connect(&unit).await.is_err(), "nobody is there");
}

pub async fn a_read_resumes_at_an_offset(place: &impl Premises) {
    let unit = unit("echo one\nsleep 0.1\necho two\nsleep 0.1\necho three");
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    let reports = visitor.reports(is_over).await;
    let Some(Report::Over { output, .. }) = reports.last().map(|numbered| numbered.report.clone()) else {
        unreachable!("reports are read up to this one");
    };
    let whole = visitor.read(0).await;
    assert_eq!(whole.len() as u64, output);
    for from in [1, whole.len() / 2, whole.len()] {
        let mut visitor = Visitor::meet(place, &unit).await;
        assert_eq!(visitor.read(from as u64).await, whole[from..]);
    }
    reap(place, &unit, Reap::Now).await;
}

pub async fn a_word_said_twice_is_obeyed_once(place: &impl Premises) {
    let unit = unit("sleep 0.5");
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    visitor.begin(&unit).await;
    visitor.reports(is_started).await;
    visitor.word("toggle:1", Word::Pause).await;
    visitor.word("toggle:1", Word::Pause).await;
    visitor.reports(|report| matches!(report, Report::Paused { .. })).await;
    visitor.word("toggle:2", Word::Resume { gate: false }).await;
    // Of one that went on this would be another pause.
    visitor.word("toggle:1", Word::Pause).await;
    drop(visitor);
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    let reports = visitor.reports(is_over).await;
    let count = |is: &dyn Fn(&Report) -> bool| reports.iter().filter(|numbered| is(&numbered.report)).count();
    assert_eq!(count(&is_started), 1);
    assert_eq!(count(&|report| matches!(report, Report::Paused { .. })), 1);
    for word in ["begin", "toggle:1", "toggle:2"] {
        assert_eq!(count(&|report| *report == Report::Heard { word: WordId(word.to_owned()) }), 1, "{word}");
    }
    reap(place, &unit, Reap::Now).await;
}

pub async fn a_unit_goes_by_itself_when_it_has_heard_that_it_may(place: &impl Premises) {
    let unit = unit("sleep 0.1");
    ensure(place, &unit).await;
    let mut visitor = Visitor::meet(place, &unit).await;
    visitor.begin(&unit).await;
    visitor.reports(is_over).await;
    visitor.word("bye", Word::Bye).await;
    wait_until_gone(place, &unit).await;
    reap(place, &unit, Reap::Gently).await;
}
