//! Whole executions, with everything that befalls them.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use testudo_core::{
    plan::Identity,
    run::{Event, Execution, Status, UnitKey},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    At, Book, EngineFault, Faults, MemoryCatalog, MemoryGroups, SimRunner, Store, Workflows, World,
    engine::{Lot, LotCatalog, LotJournal, State},
    memory::lock,
};
use crate::{Audience, Control, Drive, DriveError, Given, Job, News, drive};

/// The id of the execution that a simulation runs.
pub const EXECUTION: &str = "e";
/// Time within which everything has an end.
const EVER: Duration = Duration::from_hours(24);
/// How long a person takes to lift a pause, unless the simulation says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// An execution to be, and what will befall it.
#[derive(Clone)]
pub struct Simulation {
    pub world: World,
    pub workflows: Arc<Workflows>,
    pub faults: Faults,
    /// What befalls the engines, one after another; the last lives on.
    pub engines: Vec<EngineFault>,
    /// What people ask for, and when.
    pub controls: Vec<(Duration, Control)>,
    /// How long a person takes to lift a pause.
    pub patience: Duration,
    /// Where other executions stand that there may be.
    pub groups: MemoryGroups,
}

/// How it ended.
pub struct Ended {
    /// Nothing: it never did.
    pub status: Option<Status>,
    /// Everything that its engines said when they gave up.
    pub errors: Vec<String>,
    /// All executions by id, folded from their logs.
    pub executions: BTreeMap<String, Execution>,
    pub stores: BTreeMap<String, Store>,
    pub book: Book,
    /// Units that were still there at the end, dead or alive.
    pub present: Vec<At>,
    /// Units that still lived when all the time that orphans have was over.
    pub alive: Vec<At>,
    /// How long it took.
    pub took: Duration,
    pub engines: usize,
    /// When output was shown: up to where, of which unit.
    pub shown: Vec<(Duration, At, u64)>,
}

impl Simulation {
    /// The first of the workflows in a world where nothing goes wrong.
    pub fn new(seed: u64, yaml: &str) -> Result<Self, String> {
        Ok(Simulation {
            world: World::new(seed),
            workflows: Arc::new(Workflows::read(yaml)?),
            faults: Faults::default(),
            engines: Vec::new(),
            controls: Vec::new(),
            patience: PATIENCE,
            groups: MemoryGroups::default(),
        })
    }

    /// Runs it on a runtime of its own.
    pub fn run(&self) -> Result<Ended, String> {
        on_virtual_time(self.clone().carry_out())
    }

    async fn carry_out(self) -> Result<Ended, String> {
        let identity = Identity { id: EXECUTION.to_owned(), name: EXECUTION.to_owned(), ..Identity::default() };
        let plan = Arc::new(self.workflows.plan(self.workflows.first(), identity, &BTreeMap::new())?);
        let workflows = self.workflows.clone();
        let catalog = Arc::new(MemoryCatalog::new(move |request, identity| {
            workflows.plan(&request.workflow, identity, &request.config)
        }));
        let store = Store::new(plan);
        catalog.adopt(store.clone());
        let runner = SimRunner::with_faults(self.world.clone(), self.faults.clone());
        let begun = Instant::now();
        let mut scene = Scene {
            runner: runner.clone(),
            catalog: catalog.clone(),
            groups: self.groups,
            store,
            audience: Arc::new(Watcher { paused: watch::channel(BTreeSet::new()).0, begun, shown: Mutex::default() }),
            controls: Arc::default(),
            engines: 0,
            errors: Vec::new(),
        };
        let mut people = JoinSet::new();
        people.spawn(person(self.patience, scene.audience.clone(), scene.controls.clone()));
        for (moment, control) in self.controls {
            people.spawn(ask(moment, control, scene.store.clone(), scene.controls.clone()));
        }
        let status = timeout(EVER, scene.drive_all(&self.engines)).await.ok();
        let (took, present) = (begun.elapsed(), runner.present());
        people.shutdown().await;
        // Twice the limit, and a little: an orphan stops, then goes.
        sleep(self.world.orphan_limit * 2 + Duration::from_mins(5)).await;
        let stores = catalog.stores();
        let executions = stores.iter().map(|(id, store)| {
            let log = store.journal.events();
            let execution = Execution::replay(store.plan.clone(), &log).map_err(|corrupt| corrupt.to_string())?;
            Ok((id.clone(), execution))
        });
        Ok(Ended {
            status,
            errors: scene.errors,
            executions: executions.collect::<Result<_, String>>()?,
            stores,
            book: runner.book(),
            present,
            alive: runner.alive(),
            took,
            engines: scene.engines,
            shown: std::mem::take(&mut lock(&scene.audience.shown)),
        })
    }
}

/// Where the controls of the engine of the moment go.
type Desk = Arc<Mutex<Option<mpsc::Sender<Control>>>>;

/// One execution on its way, whoever drives it.
struct Scene {
    runner: SimRunner,
    catalog: Arc<MemoryCatalog>,
    groups: MemoryGroups,
    store: Store,
    audience: Arc<Watcher>,
    controls: Desk,
    engines: usize,
    errors: Vec<String>,
}

/// What became of an engine.
enum Engine {
    Died,
    Ended(Result<Status, DriveError>),
}

impl Scene {
    /// Has engines drive the execution, one after another or at once, until all have let go of it.
    async fn drive_all(&mut self, faults: &[EngineFault]) -> Status {
        let mut faults = faults.iter().copied();
        let mut engines: JoinSet<Engine> = JoinSet::new();
        let mut ended = None;
        while ended.is_none() {
            let fault = faults.next();
            let lot = Lot::new(fault);
            let mut state = lot.state();
            engines.spawn(self.engine(lot));
            self.engines += 1;
            loop {
                tokio::select! {
                    biased;
                    Some(engine) = engines.join_next() => ended = self.take(engine).or(ended),
                    _ = state.wait_for(|state| matches!(state, State::Stalled(_))) => break,
                }
                if ended.is_some() || engines.is_empty() {
                    break;
                }
            }
            if ended.is_none() {
                sleep(fault.map_or(Duration::ZERO, |fault| fault.gap)).await;
            }
        }
        while let Some(engine) = engines.join_next().await {
            ended = self.take(engine).or(ended);
        }
        ended.unwrap_or(Status::Aborted)
    }

    fn take(&mut self, engine: Result<Engine, tokio::task::JoinError>) -> Option<Status> {
        match engine {
            Ok(Engine::Ended(Ok(status))) => return Some(status),
            Ok(Engine::Ended(Err(error))) => self.errors.push(said(&error)),
            Ok(Engine::Died) => {}
            Err(error) => self.errors.push(error.to_string()),
        }
        None
    }

    /// One engine, until it ends the execution, dies, or gives up.
    fn engine(&self, lot: Arc<Lot>) -> impl Future<Output = Engine> + use<> {
        let (sender, controls) = mpsc::channel(4);
        *lock(&self.controls) = Some(sender);
        let outer = Drive {
            runner: Arc::new(self.runner.clone()),
            catalog: Arc::new(LotCatalog { lot: lot.clone(), catalog: self.catalog.clone() }),
            groups: Arc::new(self.groups.clone()),
            audience: self.audience.clone(),
            clock: self.runner.clock(),
        };
        let Store { plan, journal, blobs } = self.store.clone();
        let journal = Arc::new(LotJournal { lot: lot.clone(), journal });
        let job = Job { plan, journal, blobs, given: Given::default() };
        async move {
            let mut state = lot.state();
            tokio::select! {
                biased;
                _ = state.wait_for(|state| *state == State::Dead) => Engine::Died,
                ended = drive(outer, job, controls) => Engine::Ended(ended),
                () = lot.strike() => Engine::Died,
            }
        }
    }
}

fn said(error: &DriveError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Knows which executions are paused, and what was shown when.
struct Watcher {
    paused: watch::Sender<BTreeSet<String>>,
    begun: Instant,
    shown: Mutex<Vec<(Duration, At, u64)>>,
}

impl Audience for Watcher {
    fn hear(&self, news: News<'_>) {
        match news {
            News::Events { execution, .. } => {
                let id = &execution.plan().execution.id;
                self.paused.send_if_modified(|paused| {
                    if execution.is_paused() { paused.insert(id.clone()) } else { paused.remove(id) }
                });
            }
            News::Queued { .. } => {}
            News::Output { execution, unit, offset, records } => {
                let at = At { execution: execution.to_owned(), unit: unit.clone() };
                lock(&self.shown).push((self.begun.elapsed(), at, offset + records.len() as u64));
            }
        }
    }
}

/// Lifts every pause after a while.
async fn person(patience: Duration, audience: Arc<Watcher>, desk: Desk) {
    let mut paused = audience.paused.subscribe();
    while paused.wait_for(|paused| !paused.is_empty()).await.is_ok() {
        sleep(patience).await;
        if !paused.borrow().is_empty() {
            say(&desk, Control::Resume);
        }
    }
}

/// Asks for something, until it is written down that it was asked for.
async fn ask(moment: Duration, control: Control, store: Store, desk: Desk) {
    sleep(moment).await;
    let asked = |event: &Event| match control {
        Control::Stop(..) => matches!(event, Event::StopRequested { .. } | Event::Ended { .. }),
        Control::Pause => matches!(event, Event::PauseRequested { .. } | Event::Ended { .. }),
        Control::Resume => matches!(event, Event::ResumeRequested { .. } | Event::Ended { .. }),
    };
    while !store.journal.events().iter().any(asked) {
        say(&desk, control.clone());
        sleep(Duration::from_secs(1)).await;
    }
}

fn say(desk: &Desk, control: Control) {
    let sender = lock(desk).clone();
    if let Some(sender) = sender {
        // Nobody may be there, or somebody who stands still.
        let _ = sender.try_send(control);
    }
}

impl Ended {
    /// How every step of every unit stands, by execution, unit and step.
    pub fn steps(&self) -> BTreeMap<(String, UnitKey, String), Status> {
        let mut steps = BTreeMap::new();
        for (id, execution) in &self.executions {
            for (key, unit) in execution.units() {
                for (number, step) in unit.run.plan().steps.iter().enumerate() {
                    steps.insert((id.clone(), key.clone(), step.r#ref.clone()), unit.run.status(number));
                }
            }
        }
        steps
    }

    /// Everything that must never be so, whatever befell the execution.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = Vec::new();
        let mut complain = |what: &str, about: Vec<String>| {
            complaints.extend(about.into_iter().map(|about| format!("{what}: {about}")));
        };
        let names = |at: &[At]| at.iter().map(At::to_string).collect();
        complain("it never ended", if self.status.is_none() { vec![String::new()] } else { Vec::new() });
        complain("run twice", self.book.run_twice());
        complain("begun twice", self.book.begun_twice());
        complain("left alive", names(&self.alive));
        let open = self.executions.iter().filter(|(_, execution)| execution.ended().is_none());
        complain("left open", open.map(|(id, _)| id.clone()).collect());
        complain("not kept", self.lost_bytes());
        complain("more at once than may be", self.crowds());
        complaints
    }

    /// Units that were over and whose bytes are not all kept.
    fn lost_bytes(&self) -> Vec<String> {
        let whole = self.book.left.iter().filter(|(at, left)| left.over.is_some() && !self.is_spoilt(at));
        let lost = whole.filter(|(at, left)| {
            let Some(store) = self.stores.get(&at.execution) else { return true };
            let packs = left.packs.iter().any(|(pack, bytes)| store.blobs.pack(pack).as_ref() != Some(bytes));
            packs || store.blobs.output(&at.unit) != left.output
        });
        lost.map(|(at, _)| at.to_string()).collect()
    }

    /// Whether a unit's bytes may be lost: it fell, or stopped because nobody came, or was killed.
    fn is_spoilt(&self, at: &At) -> bool {
        let killed = self
            .executions
            .values()
            .any(|execution| execution.stop_reason().is_some_and(|(how, _)| how == testudo_core::run::StopHow::Kill));
        killed || self.book.struck.contains(at) || self.book.orphaned.contains(at)
    }

    /// Blocks of which more instances were there at once than the plan allows.
    fn crowds(&self) -> Vec<String> {
        let mut crowds = Vec::new();
        for (id, execution) in &self.executions {
            for (key, _) in execution.units() {
                for (step, attempt, block) in execution.blocks_of(key) {
                    let ours =
                        |at: &At| at.execution == *id && block.instances.iter().any(|instance| instance.key == at.unit);
                    let most = self.book.crowd(ours);
                    if most > block.parallelism.max(1) {
                        crowds.push(format!("{id}/{key} step {step} attempt {attempt}: {most}"));
                    }
                }
            }
        }
        crowds
    }

    /// The log of the execution, a line an event, for people.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for (id, store) in &self.stores {
            for event in store.journal.events() {
                text.push_str(&format!("{id} {}\n", serde_json::to_string(&event).unwrap_or_default()));
            }
        }
        text
    }
}

/// Runs something on a runtime whose time moves only when everybody waits.
pub fn on_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without a driver for sockets needs nothing of the machine").block_on(future)
}
