//! What a step can do. An operation is made final first ([`prepare`]: every template evaluated, nothing begun), then
//! carried out as a task of its own that reports back to the loop.

use std::{cell::RefCell, collections::BTreeMap, os::fd::OwnedFd, path::PathBuf, rc::Rc};

use testudo_core::{
    expr::{self, ExprError, Scope, Value},
    plan::{Operation, Surroundings},
    run::{Outcome, Report, RunScope, Told, UnitRun, Values, veil},
};
use tokio::sync::{mpsc, watch};

use crate::{
    family::Shelf,
    output::Output,
    processes::Processes,
    scope::{Environment, HostScope},
    sys::Caller,
    unit::{Input, Pace},
};

mod artifacts;
mod blocks;
mod command;
pub(crate) mod files;
mod git;
mod marks;
pub(crate) mod outputs;
pub(crate) mod packs;
pub(crate) mod probe;
mod tarball;
pub(crate) mod walk;

/// What an operation has in hand.
#[derive(Clone)]
pub(crate) struct Hand {
    pub inbox: mpsc::UnboundedSender<Input>,
    pub output: Rc<RefCell<Output>>,
    pub grown: Rc<watch::Sender<u64>>,
    /// How much of the output somebody has kept.
    pub kept: Rc<watch::Sender<u64>>,
    /// Values that must not be written down, by their names.
    pub references: Rc<BTreeMap<String, String>>,
    pub processes: Processes,
    pub caller: Caller,
    /// The container that the step's commands run in, where it is not the agent's own.
    pub container: Option<usize>,
    pub pace: Pace,
    pub folder: Rc<OwnedFd>,
    pub unit: String,
    pub step: usize,
    pub attempt: u32,
    pub r#ref: String,
}

impl Hand {
    /// Says a line in the step's output.
    pub(crate) fn say(&self, text: &str) {
        let mut output = self.output.borrow_mut();
        // A disk that is full shows in the operation itself.
        let _ = output.line(text);
        self.grown.send_replace(output.length());
    }

    /// A value that a command printed for later steps.
    fn emit(&self, name: String, value: &Value) {
        let value = veil::veil_value(value, &self.references);
        self.report(Report::Emitted { name, value });
    }

    /// Tells the loop a fact.
    pub(crate) fn report(&self, report: Report) {
        // The loop outlives its operations.
        let _ = self.inbox.send(Input::Report(Box::new(report)));
    }
}

/// News from the engine about the step.
pub(crate) type Hears = mpsc::UnboundedReceiver<Told>;

/// An operation with everything in it final.
pub(crate) enum Job {
    Command(command::Command),
    Delay(std::time::Duration),
    Done,
    Git(git::Clone),
    Content {
        pack: testudo_core::frame::PackId,
        to: PathBuf,
    },
    Tarball(tarball::Fetch),
    Artifacts(artifacts::Collect),
    Unpack(Vec<(testudo_core::frame::PackId, PathBuf)>),
    Fetch(Vec<packs::Source>),
    /// The engine's work: what it needs to know, and packs to make first.
    Engine {
        request: testudo_core::run::Request,
        sources: Vec<(testudo_core::frame::PackId, packs::Source)>,
        /// Where what comes back goes, as far as its own paths do not say.
        working_dir: PathBuf,
    },
}

impl Job {
    /// Carries it out.
    pub(crate) async fn carry_out(self, mut hand: Hand, hears: Hears) -> Outcome {
        match self {
            Job::Command(command) => command.carry_out(&hand).await,
            Job::Delay(length) => {
                hand.pace.pass(length).await;
                Outcome::Exit { code: 0 }
            }
            Job::Done => Outcome::Exit { code: 0 },
            Job::Git(clone) => clone.carry_out(&hand).await,
            Job::Content { pack, to } => packs::unpack_all(&hand, vec![(pack, to)]).await,
            Job::Tarball(fetch) => fetch.carry_out(&hand).await,
            Job::Artifacts(collect) => collect.carry_out(&hand, hears).await,
            Job::Unpack(packs) => packs::unpack_all(&hand, packs).await,
            Job::Fetch(sources) => packs::fetch(&hand, sources).await,
            Job::Engine { request, sources, working_dir } => {
                blocks::carry_out(&hand, hears, request, sources, &working_dir).await
            }
        }
    }
}

/// Evaluates what an operation needs.
struct Evaluate<'a> {
    run: &'a UnitRun,
    step: usize,
    environment: &'a Environment,
    values: &'a Values,
    shelf: &'a Shelf,
}

impl Evaluate<'_> {
    /// What only this machine can answer.
    fn host(&self) -> HostScope<'_> {
        HostScope { working_dir: &self.environment.working_dir, run: self.run, shelf: Some(self.shelf) }
    }

    fn with<T>(&self, then: impl FnOnce(&[&dyn Scope]) -> Result<T, ExprError>) -> Result<T, Outcome> {
        let dir = self.environment.working_dir.to_string_lossy();
        let known = RunScope {
            run: self.run,
            step: self.step,
            env: &self.environment.variables,
            references: &self.values.references,
            working_dir: &dir,
            own: None,
        };
        let host = self.host();
        then(&[&known, &host]).map_err(|error| Outcome::Fatal { message: error.to_string(), code: None })
    }

    /// One text.
    fn text(&self, template: &str) -> Result<String, Outcome> {
        if !template.contains("{{") {
            return Ok(self.unveiled(template.to_owned()));
        }
        let text = self.with(|scopes| {
            let result = expr::compile_template(template)?.finish(scopes, expr::Finalizer::Fail)?;
            Ok(result.require()?.string_form().into_owned())
        })?;
        Ok(self.unveiled(text))
    }

    /// A list of texts, of which one may become several.
    fn list(&self, templates: &[String]) -> Result<Vec<String>, Outcome> {
        let texts: Vec<String> = self.with(|scopes| {
            let mut scopes = scopes.to_vec();
            scopes.push(&expr::Finalizer::Fail);
            Ok(expr::resolve_list(templates, &scopes, false)?.into_iter().map(|item| item.text).collect())
        })?;
        Ok(texts.into_iter().map(|text| self.unveiled(text)).collect())
    }

    /// Sensitive words are put in at the last moment.
    fn unveiled(&self, text: String) -> String {
        if veil::is_veiled(&text) { veil::unveil(&text, &self.values.references) } else { text }
    }

    /// A path, from the working directory where it is relative.
    fn path(&self, template: &str) -> Result<PathBuf, Outcome> {
        Ok(crate::scope::normal(&self.environment.working_dir.join(self.text(template)?)))
    }
}

/// Makes an operation final, or says how its attempt ended before it began.
pub(crate) fn prepare(
    hand: &Hand,
    run: &UnitRun,
    operation: &Operation,
    around: &Surroundings,
    environment: Environment,
    values: &Values,
    shelf: &Shelf,
) -> Result<Job, Outcome> {
    let evaluate = Evaluate { run, step: hand.step, environment: &environment, values, shelf };
    Ok(match operation {
        Operation::Delay { millis } => Job::Delay(std::time::Duration::from_millis(*millis)),
        Operation::Gate => Job::Done,
        Operation::Run { command, args } => {
            let mut argv = evaluate.list(command)?;
            argv.extend(evaluate.list(args)?);
            if argv.is_empty() {
                let message = "there is no command to run".to_owned();
                return Err(Outcome::Fatal { message, code: Some(155) });
            }
            let files = files::render(&evaluate, around)?;
            Job::Command(command::Command::new(argv, environment, files))
        }
        Operation::Shell { script } => {
            let script = evaluate.text(script)?;
            let files = files::render(&evaluate, around)?;
            Job::Command(command::Command::shell(&script, environment, files))
        }
        Operation::Git(git) if git.replaced && values.content.is_some() => {
            let pack = values.content.clone().expect("looked at in the guard");
            Job::Content { pack, to: evaluate.path(&git.mount_path)? }
        }
        Operation::Git(git) => Job::Git(git::Clone::new(&evaluate, git, environment.variables.clone())?),
        Operation::Tarball { entries } => Job::Tarball(tarball::Fetch::new(&evaluate, entries)?),
        Operation::Artifacts(artifacts) => Job::Artifacts(artifacts::Collect::new(&evaluate, artifacts, around)?),
        Operation::Unpack { packs } => {
            let packs = packs.iter().map(|one| Ok((one.pack.clone(), evaluate.path(&one.to)?)));
            Job::Unpack(packs.collect::<Result<_, Outcome>>()?)
        }
        Operation::Fetch { entries } => {
            let sources = entries.iter().map(|entry| packs::Source::fetch(&evaluate, entry));
            Job::Fetch(sources.collect::<Result<_, Outcome>>()?)
        }
        Operation::StartServices { .. }
        | Operation::StopServices { .. }
        | Operation::Parallel(_)
        | Operation::Execute(_) => return blocks::prepare(&evaluate, hand, operation),
    })
}
