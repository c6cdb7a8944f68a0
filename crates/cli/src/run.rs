//! `testudo run` and `testudo recover`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use testudo_core::{
    frame::PackId,
    plan::Identity,
    run::{Status, StopHow},
};
use testudo_engine::{Clock, Control, Drive, Given, Job, Runner, drive};
use testudo_kube::{KubeRunner, RootKey};
use testudo_local::LocalRunner;
use testudo_store::{Folder, Meta, State};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    again,
    args::{self, Place, RunArgs, RunnerKind, View},
    catalog::Files,
    control, environment, exit, kube, lint,
    planning::{Planner, millis},
    reporter::{self, Ending},
    signals,
};

/// The pack that stands in for repositories.
const CONTENT: &str = "content";

/// Plans and runs a workflow.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    let pause = millis("--pause-timeout", &args.pause_timeout)?;
    let planner = Arc::new(Planner::new(&args.inputs, Some(pause))?);
    if lint::report_errors(&planner.read.sources, &planner.read.findings) {
        return Ok(exit::USAGE);
    }
    let document = planner.read.workflow(args.inputs.workflow.as_deref())?;
    let state = environment::state()?;
    let id = uuid::Uuid::now_v7().simple().to_string();
    // A dry plan first: a mistake takes no number.
    let probe = Identity { id: id.clone(), name: document.name.to_string(), ..Identity::default() };
    let config = args::map(&args.inputs.config);
    if let Err(problems) = planner.plan(document, probe, &config, true) {
        lint::report_errors(&planner.read.sources, &problems);
        return Ok(exit::USAGE);
    }
    let number = state.next_number(&document.name)?;
    let name = args.name.clone().unwrap_or_else(|| format!("{}-{number}", document.name));
    let tags = args::map(&args.inputs.tag);
    let identity = Identity { id: id.clone(), name: name.clone(), number, tags, ..Identity::default() };
    let planned = match planner.plan(document, identity, &config, true) {
        Ok(planned) => planned,
        Err(problems) => {
            lint::report_errors(&planner.read.sources, &problems);
            return Ok(exit::USAGE);
        }
    };
    lint::report(&planner.read.sources, &planned.findings);
    let artifacts = std::path::absolute(&args.artifacts)?;
    std::fs::create_dir_all(&artifacts)
        .with_context(|| format!("artifacts cannot be kept in {}", artifacts.display()))?;
    probe_writable(&artifacts)?;
    let content = args.inputs.content.as_deref();
    let given = Given {
        env: match args.inputs.place.runner {
            RunnerKind::Process => environment::passed_on(&args.env)?,
            // There images have an environment of their own.
            RunnerKind::Kube => environment::added(&args.env)?,
        },
        content: content.map(|_| PackId(CONTENT.to_owned())),
        ..planned.given
    };
    let command = again::command_line(&given.references);
    let meta = Meta {
        id: id.clone(),
        name: name.clone(),
        workflow: document.name.to_string(),
        number,
        created: Timestamp::now(),
        artifacts: artifacts.join(&name),
        command: command.clone(),
        parent: None,
    };
    let folder = Folder::create(&state.folder(&id), &meta, &planned.plan)?;
    seal(&folder, &given)?;
    record(&folder, args)?;
    if let Some(content) = content {
        let aside = folder.path().join("packs").join(CONTENT);
        crate::content::pack(content, &aside).with_context(|| format!("packing {}", content.display()))?;
    }
    let files = Files { planner, state: state.clone(), artifacts, given: given.clone(), command };
    let place = Placed::of(args);
    carry(&state, folder, files, &args.view, &place)
}

/// Carries on a run whose testudo died.
pub(crate) fn carry_on(state: &State, folder: Folder, view: &View) -> anyhow::Result<u8> {
    if let Some((status, _)) = folder.execution()?.ended() {
        anstream::eprintln!("{} has ended: {status}", folder.meta.name);
        return Ok(if status == Status::Passed { exit::PASSED } else { exit::FAILED });
    }
    let given = unseal(&folder)?;
    let Recorded { files, image_command, content, place } = recorded(&folder)?;
    let inputs = args::Inputs { image_command, content, ..args::Inputs::of_files(files, place.place.clone()) };
    let mut planner = Planner::new(&inputs, folder.plan.limits.pause)?;
    // Its secrets are those that it was started with.
    planner.references.clone_from(&given.references);
    let planner = Arc::new(planner);
    let artifacts = folder.meta.artifacts.parent().map(Path::to_owned).unwrap_or_default();
    let command = folder.meta.command.clone();
    let files = Files { planner, state: state.clone(), artifacts, given, command };
    carry(state, folder, files, view, &place)
}

/// Values that must not stand in plan or log.
pub(crate) fn seal(folder: &Folder, given: &Given) -> anyhow::Result<()> {
    Ok(folder.seal(&serde_json::to_vec(given)?)?)
}

/// What was sealed.
pub(crate) fn unseal(folder: &Folder) -> anyhow::Result<Given> {
    Ok(match folder.unseal()? {
        Some(bytes) => serde_json::from_slice(&bytes)?,
        None => Given::default(),
    })
}

/// What the executions that a run starts are planned from, kept beside its plan.
#[derive(Serialize, Deserialize)]
struct Recorded {
    files: Vec<PathBuf>,
    image_command: Vec<(String, String)>,
    content: Option<PathBuf>,
    place: Placed,
}

/// Where a run's units live.
#[derive(Serialize, Deserialize)]
struct Placed {
    place: Place,
    orphan_timeout: u64,
}

impl Placed {
    fn of(args: &RunArgs) -> Self {
        let place = args.inputs.place.clone();
        let orphan_timeout = args.orphan_timeout.unwrap_or(place.runner.orphan_timeout());
        Placed { place, orphan_timeout }
    }

    /// Clears away what earlier runs have left there, until the result is dropped.
    fn sweep(&self, state: &State) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if self.place.runner == RunnerKind::Kube {
            tasks.spawn(kube::sweep(state.clone(), self.place.namespace.clone()));
        }
        tasks
    }

    /// The runner for a run and for all that it starts.
    async fn runner(&self, state: &State, folder: &Folder, given: &Given) -> anyhow::Result<Arc<dyn Runner>> {
        let orphan_limit = Duration::from_secs(self.orphan_timeout);
        if self.place.runner == RunnerKind::Process {
            return Ok(Arc::new(LocalRunner::new(state.executions(), orphan_limit)));
        }
        let Place { namespace, agent_image, queue, .. } = self.place.clone();
        let limits = &folder.plan.limits;
        let key = RootKey::new(folder.key()?);
        let runner = KubeRunner::new(namespace.as_deref(), |namespace| testudo_kube::Settings {
            namespace,
            image: agent_image,
            root: folder.meta.id.clone(),
            workflow: folder.meta.workflow.clone(),
            key,
            orphan_limit,
            grace: Duration::from_millis(limits.stop_grace + limits.stop_window),
            ttl: kube::TTL,
            queue,
            provided: given.references.keys().cloned().collect(),
        });
        Ok(Arc::new(runner.await.context("there is no cluster to run on")?))
    }
}

/// The name of the file that holds it.
const RECORDED: &str = "inputs";

fn record(folder: &Folder, args: &RunArgs) -> anyhow::Result<()> {
    let files = args.inputs.files.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
    let content = args.inputs.content.as_ref().map(std::path::absolute).transpose()?;
    let image_command = args.inputs.image_command.clone();
    let recorded = Recorded { files, image_command, content, place: Placed::of(args) };
    Ok(std::fs::write(folder.path().join(RECORDED), serde_json::to_vec(&recorded)?)?)
}

fn recorded(folder: &Folder) -> anyhow::Result<Recorded> {
    let path = folder.path().join(RECORDED);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// Where a run's units live, in words.
pub(crate) fn place(folder: &Folder) -> String {
    // A run of an older testudo has nothing else.
    let place = recorded(folder).map(|recorded| recorded.place.place).unwrap_or_default();
    match (place.runner, place.namespace) {
        (RunnerKind::Process, _) => "on this machine as processes".to_owned(),
        (RunnerKind::Kube, None) => "on a cluster".to_owned(),
        (RunnerKind::Kube, Some(namespace)) => format!("on a cluster, in namespace {namespace}"),
    }
}

/// Fails early, and says where, rather than at the first artifact.
fn probe_writable(folder: &Path) -> anyhow::Result<()> {
    let probe = folder.join(format!(".testudo-{}", std::process::id()));
    std::fs::write(&probe, b"").with_context(|| format!("artifacts cannot be kept in {}", folder.display()))?;
    std::fs::remove_file(&probe).with_context(|| format!("artifacts cannot be kept in {}", folder.display()))
}

fn carry(state: &State, folder: Folder, files: Files, view: &View, place: &Placed) -> anyhow::Result<u8> {
    folder.lock()?;
    let folder = Arc::new(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let given = files.given.clone();
    runtime.block_on(async {
        let audience = reporter::audience(view, folder.clone());
        let runner = place.runner(state, &folder, &given).await?;
        let sweep = place.sweep(state);
        let (sender, controls) = mpsc::channel(16);
        let signals = signals::listen(sender.clone(), audience.clone())?;
        let door = control::open(folder.path(), sender)?;
        let job = Job { plan: folder.plan.clone(), journal: folder.clone(), blobs: folder.clone(), given };
        let drive_it = Drive {
            runner,
            catalog: Arc::new(files),
            groups: Arc::new(state.clone()),
            audience: audience.clone(),
            clock: Clock::system(),
        };
        let ended = drive(drive_it, job, controls).await;
        drop((signals, door, sweep));
        let interrupted = audience.interrupted();
        match ended {
            Ok(status) => {
                audience.end(Ending::Over(status))?;
                Ok(match status {
                    _ if interrupted => exit::INTERRUPTED,
                    Status::Passed => exit::PASSED,
                    _ => exit::FAILED,
                })
            }
            Err(error) => {
                audience.end(Ending::Lost)?;
                Err(anyhow::Error::new(error).context(format!(
                    "the run goes on without this testudo; `testudo recover {}` fetches it back",
                    folder.meta.name
                )))
            }
        }
    })
}

/// Why a run ends that Ctrl-C ended.
pub(crate) const INTERRUPTED: &str = "interrupted by the user";

/// What Ctrl-C asks for: first in order, then at once.
pub(crate) fn interrupt(count: u32) -> Control {
    let how = if count <= 1 { StopHow::Cancel } else { StopHow::Kill };
    Control::Stop(how, INTERRUPTED.to_owned())
}
