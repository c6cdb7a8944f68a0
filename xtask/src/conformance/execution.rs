//! Whole runs, by the real binary: what became of the steps, what stands in the log, which artifacts there are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::Value as Json;
use testudo_core::run::{Execution, Status, UnitKey, UnitRun};
use testudo_store::{Folder, Lines, OutputReader, State};

use super::{Case, Verdict};

pub(super) fn check(case: &Case<'_>, runner: Option<&str>) -> Verdict {
    judge(case.json, runner).map_err(|error| format!("{error:#}"))
}

fn judge(case: &Json, runner: Option<&str>) -> anyhow::Result<()> {
    let place = tempfile::tempdir_in(scratch()?)?;
    let (file, state, artifacts) =
        (place.path().join("case.yaml"), place.path().join("state"), place.path().join("artifacts"));
    fs::write(&file, case["workflow"].as_str().context("the case has no workflow")?)?;
    let mut command = Command::new(binary()?);
    command
        .arg("run")
        .arg(&file)
        .args(["--output", "json", "--pause-timeout", "20s"])
        .arg("--artifacts")
        .arg(&artifacts);
    if let Some(runner) = runner {
        command.args(["--runner", runner]);
    }
    for (name, value) in case["config"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        command.arg("--config").arg(format!("{name}={value}"));
    }
    let (code, said) = carry_out(command.env("TESTUDO_STATE", &state), &place.path().join("said"))?;
    let state = State::open(&state)?;
    let Ok(folder) = state.find(None) else { anyhow::bail!("it did not run: {said}") };
    let outcome = compare(&case["expect"], &folder, &artifacts.join(&folder.meta.name));
    outcome.with_context(|| format!("exit code {code:?} {said}"))
}

/// No case takes longer, whatever the place is busy with.
const LIMIT: Duration = Duration::from_mins(5);
/// What it may take to stop in order after that.
const GRACE: Duration = Duration::from_mins(1);

/// The exit code, and what was said on standard error. A run that does not end is stopped as a person would stop it.
fn carry_out(command: &mut Command, said: &Path) -> anyhow::Result<(Option<i32>, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(said)?).spawn()?;
    let started = Instant::now();
    let mut asked = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > LIMIT && !asked {
            asked = true;
            Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        } else if started.elapsed() > LIMIT + GRACE {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = String::from_utf8_lossy(&fs::read(said)?).into_owned();
    ensure!(!asked, "it did not end within {} s: {said}", LIMIT.as_secs());
    Ok((status.code(), said))
}

fn compare(expect: &Json, folder: &Folder, artifacts: &Path) -> anyhow::Result<()> {
    let execution = folder.execution()?;
    let mut wrong = Vec::new();
    let (status, _) = execution.ended().context("the run did not end")?;
    if let Some(expected) = expect["status"].as_str()
        && status.word() != expected
    {
        wrong.push(format!("status {status} instead of {expected}"));
    }
    let found = steps(&execution);
    let mut rest = found.iter();
    for step in expect["steps"].as_array().into_iter().flatten() {
        let (name, expected) = (step["name"].as_str().unwrap_or_default(), step["status"].as_str().unwrap_or_default());
        match rest.find(|(label, _)| label == name) {
            Some((_, status)) if status.word() == expected => {}
            Some((_, status)) => wrong.push(format!("step {name}: {status} instead of {expected}")),
            None => {
                wrong.push(format!("there is no step {name} here; steps: {found:?}"));
                break;
            }
        }
    }
    let log = log(folder)?;
    let texts = |key: &str| -> Vec<String> {
        expect[key].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    for text in texts("log_contains") {
        if !log.contains(&text) {
            wrong.push(format!("the log lacks {text:?}"));
        }
    }
    for text in texts("log_lacks") {
        if log.contains(&text) {
            wrong.push(format!("the log has {text:?}"));
        }
    }
    let names = names(artifacts);
    for pattern in texts("artifacts") {
        if !names.iter().any(|name| fits(name, &pattern)) {
            wrong.push(format!("there is no artifact {pattern}; artifacts: {names:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}\n--- log\n{log}", wrong.join("\n"));
    Ok(())
}

/// Steps as people see them: groups that nobody named are not shown unless they are optional or negative.
fn steps(execution: &Execution) -> Vec<(String, Status)> {
    let Some(main) = execution.unit(&UnitKey::main()) else { return Vec::new() };
    let run: &UnitRun = &main.run;
    (1..run.plan().steps.len())
        .filter(|at| {
            let step = run.step(*at);
            step.operation.is_some() || step.name.is_some() || step.optional || step.negative
        })
        .map(|at| (run.step(at).label().to_owned(), run.status(at)))
        .collect()
}

/// What the main unit's commands wrote.
fn log(folder: &Folder) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut lines = Lines::default();
    let mut add = |_: u32, _: u64, line: &[u8]| {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    };
    let mut reader = OutputReader::open(&folder.output_path(&UnitKey::main()))?;
    while let Some((step, nanos, bytes)) = reader.read()? {
        lines.take(step, nanos, bytes, &mut add);
    }
    lines.finish(&mut add);
    Ok(text)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else if let Ok(name) = entry.path().strip_prefix(folder) {
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

/// `*` stands for one segment.
fn fits(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<_>, Vec<_>) = (name.split('/').collect(), pattern.split('/').collect());
    name.len() == pattern.len() && name.iter().zip(&pattern).all(|(name, pattern)| *pattern == "*" || name == pattern)
}

/// Where runs of cases may live: not under `/tmp`, which units have of their own.
fn scratch() -> anyhow::Result<PathBuf> {
    let root = match std::env::var_os("TESTUDO_SCRATCH") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/scratch"),
    };
    fs::create_dir_all(&root)?;
    Ok(root.canonicalize()?)
}

/// The binary under test: `TESTUDO_BIN`, else the one that is built beside this program.
fn binary() -> anyhow::Result<PathBuf> {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = BINARY.get() {
        return Ok(known.clone());
    }
    let path = if let Some(path) = std::env::var_os("TESTUDO_BIN") {
        PathBuf::from(path)
    } else {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "testudo"]).status()?;
        ensure!(built.success(), "testudo does not build");
        let own = std::env::current_exe()?;
        let folder = own.ancestors().find(|path| path.ends_with("debug") || path.ends_with("release"));
        folder.context("there is no target folder")?.join("testudo")
    };
    Ok(BINARY.get_or_init(|| path).clone())
}
