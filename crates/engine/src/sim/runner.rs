//! The place: units as tasks on virtual time.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use super::{
    AgentEnd, AgentFault, At, Book, Chance, Faults, Left, Start, Wire, World,
    agent::{Agent, Disk, Fall, Guest},
    memory::lock,
};
use crate::{Clock, Duplex, Reap, Runner, RunnerError, Sighting, UnitSpec};

/// How long a platform takes to put another agent in the place of one that fell.
const REPLACEMENT: Duration = Duration::from_millis(700);
/// Bytes on their way between an agent and whoever asks: small, so that both ends get to wait.
const PIPE: usize = 4096;

/// A place where units are tasks. It lasts as long as the runtime it was made in.
#[derive(Clone)]
pub struct SimRunner(Arc<Place>);

/// What the units of a place share.
pub(super) struct Place {
    pub(super) world: World,
    pub(super) clock: Clock,
    faults: Faults,
    book: Mutex<Book>,
    units: Mutex<BTreeMap<At, Lodger>>,
    chance: Mutex<Chance>,
    tasks: Mutex<JoinSet<()>>,
    made: Mutex<Vec<At>>,
}

/// One unit that is there, dead or alive.
struct Lodger {
    phase: watch::Receiver<Phase>,
    disk: Arc<Mutex<Disk>>,
    task: AbortHandle,
}

#[derive(Clone)]
enum Phase {
    Coming(String),
    Up(mpsc::UnboundedSender<Guest>),
    Gone(String),
}

impl SimRunner {
    /// A place where nothing goes wrong.
    pub fn new(world: World) -> Self {
        Self::with_faults(world, Faults::default())
    }

    pub fn with_faults(world: World, faults: Faults) -> Self {
        let chance = Mutex::new(Chance::about(world.seed, "place"));
        SimRunner(Arc::new(Place {
            clock: Clock::starting_at(Timestamp::UNIX_EPOCH),
            chance,
            world,
            faults,
            book: Mutex::default(),
            units: Mutex::default(),
            tasks: Mutex::default(),
            made: Mutex::default(),
        }))
    }

    /// The time here.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// What happened so far.
    pub fn book(&self) -> Book {
        lock(&self.0.book).clone()
    }

    /// The units that are there, dead or alive.
    pub fn present(&self) -> Vec<At> {
        lock(&self.0.units).keys().cloned().collect()
    }

    /// The units whose agents live.
    pub fn alive(&self) -> Vec<At> {
        let units = lock(&self.0.units);
        let alive = units.iter().filter(|(_, lodger)| !matches!(*lodger.phase.borrow(), Phase::Gone(_)));
        alive.map(|(at, _)| at.clone()).collect()
    }

    /// Kills a unit's agent, and what it runs.
    pub fn kill(&self, unit: &UnitSpec) {
        let at = at(unit);
        if let Some(lodger) = lock(&self.0.units).get_mut(&at) {
            lodger.task.abort();
            // Nobody is left to send: this one has to say so.
            lodger.phase = watch::channel(Phase::Gone("its agent was killed".to_owned())).1;
            self.0.note(|book| book.struck.insert(at));
        }
    }
}

impl Place {
    /// Writes something down.
    pub(super) fn note<T>(&self, write: impl FnOnce(&mut Book) -> T) {
        write(&mut lock(&self.book));
    }

    /// Whether something happens now that happens so many times in a hundred.
    pub(super) fn percent(&self, percent: u64) -> bool {
        percent > 0 && lock(&self.chance).percent(percent)
    }

    /// A number below a limit.
    pub(super) fn below(&self, limit: u64) -> u64 {
        lock(&self.chance).below(limit)
    }

    pub(super) fn repeats(&self) -> bool {
        self.percent(self.faults.odds.repeat)
    }

    /// What befalls a unit's agent after so many of its reports.
    pub(super) fn fault(&self, at: &At, reports: u64) -> Option<AgentEnd> {
        let strikes = |fault: &&AgentFault| {
            fault.reports == reports && lock(&self.made).get(fault.nth).is_some_and(|made| made == at)
        };
        self.faults.agents.iter().find(strikes).map(|fault| fault.how)
    }

    fn busy(&self) -> Result<(), RunnerError> {
        if self.percent(self.faults.odds.busy) {
            return Err(RunnerError::Unreachable(io::ErrorKind::ConnectionRefused.into()));
        }
        Ok(())
    }

    /// What a unit has, kept for the account when it goes.
    fn account(&self, at: &At, disk: &Disk) {
        let left = Left { over: disk.over(), output: disk.output.clone(), packs: disk.packs.clone() };
        // The second of two lives has nothing.
        self.note(|book| match book.left.get(at) {
            Some(known) if left.over.is_none() && known.over.is_some() => {}
            _ => drop(book.left.insert(at.clone(), left)),
        });
    }
}

/// One unit from its making to the end of its last agent.
async fn live(place: Arc<Place>, at: At, disk: Arc<Mutex<Disk>>, phase: watch::Sender<Phase>, start: Duration) {
    sleep(start).await;
    let reason = loop {
        let (door, guests) = mpsc::unbounded_channel();
        phase.send_replace(Phase::Up(door));
        let fall = match Agent::new(place.clone(), at.clone(), disk.clone()).run(guests).await {
            Ok(()) => break "its agent has ended",
            Err(Fall(how)) => how,
        };
        place.note(|book| book.struck.insert(at.clone()));
        match fall {
            AgentEnd::Dies => break "its agent was killed",
            AgentEnd::SecondLife => {
                place.account(&at, &lock(&disk));
                *lock(&disk) = Disk::new(format!("{at}:second"), &place.world);
            }
            AgentEnd::Restarts => {}
        }
        phase.send_replace(Phase::Coming("its agent is made anew".to_owned()));
        sleep(REPLACEMENT).await;
    };
    phase.send_replace(Phase::Gone(reason.to_owned()));
}

fn at(unit: &UnitSpec) -> At {
    At { execution: unit.execution.clone(), unit: unit.key.clone() }
}

#[async_trait]
impl Runner for SimRunner {
    async fn ensure(&self, unit: &UnitSpec) -> Result<(), RunnerError> {
        let place = &self.0;
        place.busy()?;
        let at = at(unit);
        if lock(&place.units).contains_key(&at) {
            return Ok(());
        }
        let start = match place.world.start(&unit.key.to_string()) {
            Start::Refused(why) => return Err(RunnerError::Refused(why)),
            Start::Never => Duration::MAX,
            Start::After(start) => start,
        };
        let nth = lock(&place.made).len();
        lock(&place.made).push(at.clone());
        let disk = Arc::new(Mutex::new(Disk::new(format!("{at}:{nth}"), &place.world)));
        let (sender, phase) = watch::channel(Phase::Coming("it is being made".to_owned()));
        let life = live(place.clone(), at.clone(), disk.clone(), sender, start);
        let task = lock(&place.tasks).spawn(life);
        place.note(|book| book.traffic.push((at.clone(), true)));
        lock(&place.units).insert(at, Lodger { phase, disk, task });
        Ok(())
    }

    fn observe(&self, unit: &UnitSpec) -> BoxStream<'static, Sighting> {
        let phase = lock(&self.0.units).get(&at(unit)).map(|lodger| lodger.phase.clone());
        let Some(phase) = phase else {
            let reason = "there is no such unit here".to_owned();
            return stream::once(async { Sighting::Gone { reason } }).boxed();
        };
        let address = Some(format!("sim:{}", unit.key));
        let sighting = move |phase: &Phase| match phase {
            Phase::Coming(reason) => Sighting::Waiting { reason: reason.clone(), node: None },
            Phase::Up(_) => Sighting::Present { address: address.clone(), node: None },
            Phase::Gone(reason) => Sighting::Gone { reason: reason.clone() },
        };
        stream::unfold(Some((phase, true)), move |state| {
            let sighting = sighting.clone();
            async move {
                let (mut phase, first) = state?;
                if !first && phase.changed().await.is_err() {
                    let reason = "its agent is gone".to_owned();
                    return Some((Sighting::Gone { reason }, None));
                }
                let seen = sighting(&phase.borrow_and_update());
                let next = (!matches!(seen, Sighting::Gone { .. })).then_some((phase, false));
                Some((seen, next))
            }
        })
        .boxed()
    }

    async fn connect(&self, unit: &UnitSpec) -> Result<Box<dyn Duplex>, RunnerError> {
        let place = &self.0;
        place.busy()?;
        let phase = lock(&place.units).get(&at(unit)).map(|lodger| lodger.phase.borrow().clone());
        let door = match phase {
            Some(Phase::Up(door)) => door,
            Some(Phase::Coming(_)) => return Err(RunnerError::Unreachable(io::ErrorKind::ConnectionRefused.into())),
            Some(Phase::Gone(reason)) => return Err(RunnerError::Gone(reason)),
            None => return Err(RunnerError::Gone("there is no such unit here".to_owned())),
        };
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let fate = place.faults.odds.fate(&mut lock(&place.chance));
        door.send(Box::new(Wire::new(theirs, fate)))
            .map_err(|_| RunnerError::Unreachable(io::ErrorKind::ConnectionRefused.into()))?;
        Ok(Box::new(ours))
    }

    async fn reap(&self, unit: &UnitSpec, how: Reap) -> Result<(), RunnerError> {
        let place = &self.0;
        place.busy()?;
        let at = at(unit);
        let phase = lock(&place.units).get(&at).map(|lodger| lodger.phase.clone());
        let Some(mut phase) = phase else { return Ok(()) };
        if how == Reap::Gently {
            // It has been told to go.
            let gone = phase.wait_for(|phase| matches!(phase, Phase::Gone(_)));
            let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
        }
        let lodger = lock(&place.units).remove(&at);
        if let Some(lodger) = lodger {
            lodger.task.abort();
            place.account(&at, &lock(&lodger.disk));
            place.note(|book| book.traffic.push((at, false)));
        }
        Ok(())
    }
}
