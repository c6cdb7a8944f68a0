//! `testudo recover`: one run, or all that are lost.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread::ScopedJoinHandle,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use testudo_store::{Folder, State};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::{Output, RecoverArgs, View},
    environment, exit,
    find::Absent,
    run,
};

/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn recover(args: &RecoverArgs) -> anyhow::Result<u8> {
    let state = environment::state()?;
    if args.all {
        return all(&state, &args.view);
    }
    let folder = state.find(args.execution.as_deref())?;
    let name = &folder.meta.name;
    if folder.is_driven() && folder.execution()?.ended().is_none() {
        let message = format!("{name} is at work by another testudo; `testudo watch {name}` shows it");
        return Err(Absent(message).into());
    }
    run::carry_on(&state, folder, &args.view)
}

/// Runs that nobody drives and that have not ended, oldest first. Those that others started come back with them.
fn lost(state: &State) -> anyhow::Result<Vec<Folder>> {
    let mut lost = Vec::new();
    for meta in state.list()?.into_iter().rev().filter(|meta| meta.parent.is_none()) {
        let Ok(folder) = Folder::open(&state.folder(&meta.id)) else { continue };
        if !folder.is_driven() && folder.execution().is_ok_and(|execution| execution.ended().is_none()) {
            lost.push(folder);
        }
    }
    Ok(lost)
}

/// All of them at the same time, for their units do not wait: each by a testudo of its own, as if it had been asked
/// for by itself.
fn all(state: &State, view: &View) -> anyhow::Result<u8> {
    let lost = lost(state)?;
    if lost.is_empty() {
        anstream::eprintln!("no run is lost");
        return Ok(exit::PASSED);
    }
    let mut children = Vec::new();
    for folder in &lost {
        children.push((folder.meta.name.clone(), start(&folder.meta.id, view)?));
    }
    let ids: Vec<Pid> = children.iter().map(|(_, child)| Pid::from_child(child)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let codes = std::thread::scope(|scope| {
        let shown: Vec<_> =
            children.into_iter().map(|(name, child)| scope.spawn(move || show(&name, child, view.output))).collect();
        runtime.block_on(pass_on_signals(&ids, async {
            while !shown.iter().all(ScopedJoinHandle::is_finished) {
                tokio::time::sleep(LOOK).await;
            }
        }))?;
        shown
            .into_iter()
            .map(|shown| shown.join().expect("showing lines does not panic"))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let worst = codes.into_iter().map(|status| status.code().unwrap_or(1)).max().unwrap_or(0);
    Ok(u8::try_from(worst).unwrap_or(exit::FAILED))
}

/// Whoever ends this testudo means those that it started: Ctrl-C reaches them by itself.
async fn pass_on_signals(ids: &[Pid], over: impl Future<Output = ()>) -> io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut over = std::pin::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Ok(()),
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {
                for id in ids {
                    // It may have ended.
                    let _ = kill_process(*id, Signal::TERM);
                }
            }
        }
    }
}

fn start(id: &str, view: &View) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["recover", id]).stdin(Stdio::null()).stdout(Stdio::piped());
    let View { output, log, timestamps, show_failures } = view;
    if *output == Output::Json {
        command.args(["-o", "json"]);
    }
    for (wanted, flag) in [(log, "--log"), (timestamps, "--timestamps")] {
        if *wanted {
            command.arg(flag);
        }
    }
    command.args(["--show-failures", &show_failures.to_string()]);
    Ok(command.spawn()?)
}

/// Shows the lines of one of them, each with its name; events have it in them.
fn show(name: &str, mut child: Child, output: Output) -> io::Result<ExitStatus> {
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let mut out = io::stdout().lock();
            if output == Output::Pretty && line != b"\n" {
                write!(out, "[{name}] ")?;
            }
            out.write_all(&line)?;
            out.flush()?;
            line.clear();
        }
    }
    child.wait()
}
