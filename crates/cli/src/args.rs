//! The command line.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use testudo_core::plan::OWN_IMAGE;

use crate::{control, doctor, exit, find, kube, lint, logs, planning, recover, run, watch};

/// Runs tests at scale from one file.
#[derive(Debug, Parser)]
#[command(name = "testudo", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workflow on this machine
    Run(RunArgs),
    /// Show what a run would do, without doing it
    Plan(PlanArgs),
    /// Check files, and say how to mend what is wrong
    Lint(LintArgs),
    /// List runs of this machine, newest first
    Ls(LsArgs),
    /// Show what a run's commands wrote
    Logs(LogsArgs),
    /// Show a run's merged test report
    Report(ReportArgs),
    /// Carry on a run whose testudo died
    Recover(RecoverArgs),
    /// Show a run that another testudo drives, and end as it ends
    #[command(visible_alias = "attach")]
    Watch(WatchArgs),
    /// End a run: once in order, twice at once
    #[command(visible_alias = "stop", alias = "abort")]
    Cancel(CancelArgs),
    /// Pause a run
    Pause(OfExecution),
    /// Resume a paused run
    Resume(OfExecution),
    /// Look whether there is what a run needs, and say how to mend what is missing
    Doctor(DoctorArgs),
    /// What there is to do about a cluster
    #[command(subcommand)]
    Kube(KubeCommand),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Subcommand)]
enum KubeCommand {
    /// Print the least rights that testudo needs in a namespace, as a Role and an account that has it
    Rbac(RbacArgs),
    /// List units and Jobs that testudo has in a namespace
    Ls(KubeLsArgs),
    /// Remove what ended runs have left, and what nobody drives and is old
    Gc(GcArgs),
}

/// Files, and what goes into the workflow.
#[derive(Debug, Clone, Args)]
pub(crate) struct Inputs {
    /// Workflow files or folders; the first workflow in the first file is the one to run
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Which workflow, where the files have several
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// A value for a declared parameter
    #[arg(long, short = 'c', value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) config: Vec<(String, String)>,
    /// A tag for the run
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) tag: Vec<(String, String)>,
    /// An environment variable of the workflow's container
    #[arg(long, short = 'v', value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) variable: Vec<(String, String)>,
    /// The command that an image's entrypoint stands for
    #[arg(long, value_name = "IMAGE=COMMAND", value_parser = pair)]
    pub(crate) image_command: Vec<(String, String)>,
    /// A working tree in the place of content.git, as it is
    #[arg(long, value_name = "DIR")]
    pub(crate) content: Option<PathBuf>,
    /// Secret and `ConfigMap` documents
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where units live.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Where units live
    #[arg(long, value_enum, default_value_t = RunnerKind::Process)]
    pub(crate) runner: RunnerKind,
    /// On a cluster: the namespace, else the one that the kubeconfig names
    #[arg(long, short = 'N', value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// On a cluster: the image with testudo's agent, which is also that of steps that name none
    #[arg(long, value_name = "IMAGE", default_value = OWN_IMAGE)]
    pub(crate) agent_image: String,
    /// On a cluster: the Kueue queue that admits Jobs
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Place { runner: RunnerKind::Process, namespace: None, agent_image: OWN_IMAGE.to_owned(), queue: None }
    }
}

/// Places where units can live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum RunnerKind {
    /// Processes of this machine
    Process,
    /// Pods of a Kubernetes cluster
    Kube,
}

impl RunnerKind {
    /// Seconds without a testudo after which units stop by themselves.
    pub(crate) fn orphan_timeout(self) -> u64 {
        match self {
            RunnerKind::Process => 600,
            RunnerKind::Kube => 7200,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// A name for the run
    #[arg(long, short = 'n')]
    pub(crate) name: Option<String>,
    /// A variable that commands get: of this value, or of the value it has here
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Where artifacts go
    #[arg(long, value_name = "DIR", default_value = "artifacts")]
    pub(crate) artifacts: PathBuf,
    #[command(flatten)]
    pub(crate) view: View,
    /// Seconds without a testudo after which units stop by themselves [default: 600, on a cluster 7200]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) orphan_timeout: Option<u64>,
    /// How long a step with `paused: true` waits for somebody to resume it before it fails
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) pause_timeout: String,
}

/// What is shown of a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct View {
    /// How a run is shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
    /// Show what commands write while they do, also with several units
    #[arg(long)]
    pub(crate) log: bool,
    /// Put times in front of lines
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// How many failures are shown in full at the end
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) show_failures: usize,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Pretty,
    /// For machines: an object a line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// How the plan is shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Files or folders
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    pub(crate) files: Vec<PathBuf>,
    /// Tell more about a finding's code
    #[arg(long, value_name = "CODE")]
    pub(crate) explain: Option<String>,
    /// Count fields that only testudo knows as errors
    #[arg(long)]
    pub(crate) strict_testkube: bool,
    /// How findings are shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only runs of this workflow
    pub(crate) workflow: Option<String>,
    /// How runs are shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
    /// Only this step: its name or reference
    #[arg(long)]
    pub(crate) step: Option<String>,
    /// Only this worker: its name, or STEP/INDEX
    #[arg(long)]
    pub(crate) worker: Option<String>,
    /// Go on until the run ends
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Only lines that match
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Put times in front of lines
    #[arg(long)]
    pub(crate) timestamps: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Md)]
    pub(crate) format: Format,
    /// Write to a file
    #[arg(long, short = 'O', value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Formats of a test report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Junit,
    Json,
    Md,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
    /// All runs whose testudo died, at the same time
    #[arg(long, conflicts_with = "execution")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) view: View,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
    #[command(flatten)]
    pub(crate) view: View,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
    /// At once, without waiting for what always runs
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OfExecution {
    /// A run's name; the newest without one
    pub(crate) execution: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Where units are to live
    #[arg(long, value_enum, default_value_t = RunnerKind::Process)]
    pub(crate) runner: RunnerKind,
    /// On a cluster: the namespace, else the one that the kubeconfig names
    #[arg(long, short = 'N', value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How checks are shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RbacArgs {
    /// The namespace, else the one that the kubeconfig names
    #[arg(long, short = 'N', value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The account that gets the rights
    #[arg(long, value_name = "NAME", default_value = testudo_kube::rights::ACCOUNT)]
    pub(crate) service_account: String,
}

#[derive(Debug, Args)]
pub(crate) struct KubeLsArgs {
    /// Only those of this run
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    /// The namespace, else the one that the kubeconfig names
    #[arg(long, short = 'N', value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How they are shown
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Pretty)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// The namespace, else the one that the kubeconfig names
    #[arg(long, short = 'N', value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How old has to be what somebody may come back to
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) older_than: String,
    /// Say what would be removed, and leave it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Inputs {
    /// Files alone, as a recovered run needs them.
    pub(crate) fn of_files(files: Vec<PathBuf>, place: Place) -> Self {
        Inputs {
            files,
            workflow: None,
            config: Vec::new(),
            tag: Vec::new(),
            variable: Vec::new(),
            image_command: Vec::new(),
            content: None,
            secrets: Vec::new(),
            place,
        }
    }
}

impl Arguments {
    pub(crate) fn carry_out(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Plan(args) => planning::show(&args),
            Command::Lint(args) => lint::lint(&args),
            Command::Ls(args) => find::ls(&args),
            Command::Logs(args) => logs::logs(&args),
            Command::Report(args) => find::report(&args),
            Command::Recover(args) => recover::recover(&args),
            Command::Watch(args) => watch::watch(&args),
            Command::Cancel(args) => control::cancel(&args),
            Command::Pause(of) => control::ask(of.execution.as_deref(), "pause"),
            Command::Resume(of) => control::ask(of.execution.as_deref(), "resume"),
            Command::Doctor(args) => doctor::doctor(&args),
            Command::Kube(KubeCommand::Rbac(args)) => kube::rbac(&args),
            Command::Kube(KubeCommand::Ls(args)) => kube::ls(&args),
            Command::Kube(KubeCommand::Gc(args)) => kube::gc(&args),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), "testudo", &mut std::io::stdout());
                Ok(exit::PASSED)
            }
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Pairs as a map; the last of a name wins.
pub(crate) fn map(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    pairs.iter().cloned().collect()
}
