//! A command of the user's.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::Path, process};

use testudo_core::run::{Outcome, Report};

use super::{Hand, files::Placed, marks::Marks, outputs};
use crate::{
    scope::Environment,
    sys::{self, Exit},
};

/// A command with its arguments, where and with what it runs.
pub(crate) struct Command {
    argv: Vec<OsString>,
    environment: Environment,
    files: Placed,
}

/// Most output that nobody has kept yet; then the command has to wait.
const MOST_UNKEPT: u64 = 1 << 30;
/// Longer scripts travel as files.
const SCRIPT_AS_ARGUMENT: usize = 32 * 1024;

impl Command {
    pub(super) fn new(argv: Vec<String>, environment: Environment, files: Placed) -> Self {
        Command { argv: argv.into_iter().map(OsString::from).collect(), environment, files }
    }

    /// A script for the shell, which ends at the first command that fails.
    pub(super) fn shell(script: &str, environment: Environment, mut files: Placed) -> Result<Self, Outcome> {
        let script = format!("set -e\n{script}");
        let argv = if script.len() > SCRIPT_AS_ARGUMENT {
            let file = files.script(script.as_bytes()).map_err(|error| Outcome::Error {
                message: format!("the script could not be put where the shell reads it: {error}"),
            })?;
            vec!["sh".into(), file.into_os_string()]
        } else {
            vec!["sh".into(), "-c".into(), OsString::from_vec(script.into_bytes())]
        };
        Ok(Command { argv, environment, files })
    }

    pub(super) async fn carry_out(self, hand: &Hand) -> Outcome {
        outputs::clear();
        let Command { argv, environment, files } = self;
        let mut command = process::Command::new(&argv[0]);
        command.args(&argv[1..]).env_clear().envs(&environment.variables).current_dir(&environment.working_dir);
        sys::prepare(&mut command, hand.caller, files.bound.clone());
        let outcome = run(hand, command, &argv[0]).await;
        drop(files);
        outcome
    }
}

/// Starts a prepared command, passes its output on, and ends whatever it leaves behind.
pub(super) async fn run(hand: &Hand, command: process::Command, name: &std::ffi::OsStr) -> Outcome {
    let mut started = match hand.processes.start(command) {
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
                        sys::signal_all(libc::SIGKILL);
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
    sys::signal_all(libc::SIGKILL);
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
        Ok(Exit::Code(code)) => Outcome::Exit { code },
        Ok(Exit::Signal(signal)) => Outcome::Killed { signal: signal_name(signal) },
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
