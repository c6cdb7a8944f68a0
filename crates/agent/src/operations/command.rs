//! A command of the user's.

use std::{ffi::OsString, io, os::unix::ffi::OsStringExt, path::Path, process};

use testudo_core::run::{Outcome, Report};

use super::{
    Hand,
    files::{Placed, Rendered, SCRIPT},
    marks::Marks,
    outputs,
};
use crate::{
    lend::Loan,
    processes::{Started, killed_for_memory, memory_kills},
    scope::Environment,
    sys::{self, Caller, Exit},
};

/// A command with its arguments, where and with what it runs.
pub(crate) struct Command {
    argv: Vec<OsString>,
    environment: Environment,
    files: Vec<Rendered>,
    script: Option<Vec<u8>>,
}

/// Most output that nobody has kept yet; then the command has to wait.
const MOST_UNKEPT: u64 = 1 << 30;
/// Longer scripts travel as files.
const SCRIPT_AS_ARGUMENT: usize = 32 * 1024;

impl Command {
    pub(super) fn new(argv: Vec<String>, environment: Environment, files: Vec<Rendered>) -> Self {
        Command { argv: argv.into_iter().map(OsString::from).collect(), environment, files, script: None }
    }

    /// A script for the shell, which ends at the first command that fails.
    pub(super) fn shell(script: &str, environment: Environment, files: Vec<Rendered>) -> Self {
        let script = format!("set -e\n{script}");
        if script.len() > SCRIPT_AS_ARGUMENT {
            let argv = vec!["sh".into(), SCRIPT.into()];
            Command { argv, environment, files, script: Some(script.into_bytes()) }
        } else {
            let argv = vec!["sh".into(), "-c".into(), OsString::from_vec(script.into_bytes())];
            Command { argv, environment, files, script: None }
        }
    }

    pub(super) async fn carry_out(self, hand: &Hand) -> Outcome {
        outputs::clear();
        let Command { argv, environment, files, script } = self;
        let mut placed = Placed::default();
        if let Some(script) = script
            && let Err(error) = placed.script(&script)
        {
            let message = format!("the script could not be put where the shell reads it: {error}");
            return Outcome::Error { message };
        }
        if let Some(container) = hand.container {
            let text = |word: OsString| word.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
            let name = argv[0].clone();
            let started = argv.into_iter().map(text).collect::<Result<_, _>>().and_then(|argv| {
                let Environment { variables: env, working_dir: dir, .. } = environment;
                hand.processes.guests.start(container, Loan { argv, env, dir, files })
            });
            let outcome = follow(hand, started, &name).await;
            drop(placed);
            return outcome;
        }
        if let Err(outcome) = placed.all(&files, hand.caller) {
            return outcome;
        }
        let mut command = process::Command::new(&argv[0]);
        command.args(&argv[1..]).env_clear().envs(&environment.variables).current_dir(&environment.working_dir);
        sys::prepare(&mut command, hand.caller, placed.bound.clone());
        let before = (hand.caller == Caller::Container).then(memory_kills).flatten();
        let outcome = run(hand, command, &argv[0]).await;
        drop(placed);
        killed_for_memory(before).map_or(outcome, |message| Outcome::Error { message })
    }
}

/// Starts a prepared command and follows it.
pub(super) async fn run(hand: &Hand, command: process::Command, name: &std::ffi::OsStr) -> Outcome {
    follow(hand, hand.processes.start(command), name).await
}

/// Passes the output of a command on, and ends whatever it leaves behind.
async fn follow(hand: &Hand, started: io::Result<Started>, name: &std::ffi::OsStr) -> Outcome {
    let mut started = match started {
        Ok(started) => started,
        Err(error) => return Outcome::Error { message: format!("{}: {error}", Path::new(name).display()) },
    };
    let mut buffer = vec![0; 256 * 1024];
    let mut passing = Passing { hand, marks: Marks::default(), text: Vec::new() };
    let mut kept = hand.kept.subscribe();
    let mut warned = false;
    let exit = loop {
        let full = hand.output.borrow().length().saturating_sub(*kept.borrow_and_update()) > MOST_UNKEPT;
        if full && !warned {
            warned = true;
            let text = "nobody keeps the output: the command waits until somebody does".to_owned();
            hand.report(Report::Warned { text });
        }
        tokio::select! {
            read = started.output.read(&mut buffer), if !full => match read {
                // All its writers are gone; the process itself may still be there.
                Ok(0) | Err(_) => break (&mut started.exit).await,
                Ok(length) => {
                    if let Some(failed) = passing.on(&buffer[..length]) {
                        hand.processes.signal_all(libc::SIGKILL);
                        return failed;
                    }
                }
            },
            // The sender lives as long as the agent.
            _ = kept.changed(), if full => {}
            exit = &mut started.exit => break exit,
        }
    };
    // Whatever it started and did not wait for ends with it; then nobody is left who could write.
    hand.processes.signal_all(libc::SIGKILL);
    loop {
        match started.output.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                if let Some(failed) = passing.on(&buffer[..length]) {
                    return failed;
                }
            }
        }
    }
    if let Some(failed) = passing.end() {
        return failed;
    }
    match exit {
        Ok(Ok(Exit::Code(code))) => Outcome::Exit { code },
        Ok(Ok(Exit::Signal(signal))) => Outcome::Killed { signal: signal_name(signal) },
        Ok(Err(message)) => Outcome::Error { message },
        Err(_) => Outcome::Error { message: "the command was lost sight of".to_owned() },
    }
}

/// Output on its way from a command to the unit's own.
struct Passing<'a> {
    hand: &'a Hand,
    marks: Marks,
    text: Vec<u8>,
}

impl Passing<'_> {
    /// Passes a chunk on; how the command ends if it cannot be written down.
    fn on(&mut self, bytes: &[u8]) -> Option<Outcome> {
        if self.marks.has_nothing_to_do(bytes) {
            return self.write(bytes);
        }
        self.text.clear();
        let hand = self.hand;
        self.marks.feed(bytes, &mut self.text, &mut |name, value| hand.emit(name, &value));
        let text = std::mem::take(&mut self.text);
        let failed = self.write(&text);
        self.text = text;
        failed
    }

    fn end(&mut self) -> Option<Outcome> {
        let mut text = Vec::new();
        let hand = self.hand;
        self.marks.finish(&mut text, &mut |name, value| hand.emit(name, &value));
        self.write(&text)
    }

    fn write(&self, bytes: &[u8]) -> Option<Outcome> {
        let mut output = self.hand.output.borrow_mut();
        let written = output.write(bytes);
        self.hand.grown.send_replace(output.length());
        let error = written.err()?;
        Some(Outcome::Error { message: format!("the output could not be written down: {error}") })
    }
}

fn signal_name(signal: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
    ];
    NAMES
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}
