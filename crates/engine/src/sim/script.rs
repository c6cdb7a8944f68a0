//! What a simulated command does, read from its own text.
//!
//! Scripts look like shell and mean a small part of it, so a workflow for the simulator reads like any other:
//!
//! | word                               | what it does                                             |
//! |------------------------------------|----------------------------------------------------------|
//! | `sleep 1.5`                        | takes so many seconds                                    |
//! | `exit 3`                           | ends, with that code                                     |
//! | `exit-until 2`                     | ends with code 1 in the attempts before the second       |
//! | `kill -9 $$`                       | dies of a signal                                         |
//! | `echo text`                        | says a line                                              |
//! | `echo text > /testkube/outputs/x`  | hands `x` to later steps; any other path is a file       |
//! | `noise 5000`                       | says so many bytes                                       |
//! | `fill 5000 > /data/x`              | writes so many bytes to a file                           |
//! | `ready 2`, `ready never`           | as a service: when its probe begins to succeed           |
//! | `linger 5`                         | takes so long to end when it is asked to                 |

use std::{collections::BTreeMap, time::Duration};

use testudo_core::run::Outcome;

/// Where outputs for later steps are written.
const OUTPUTS: &str = "/testkube/outputs/";

/// One attempt of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    pub(super) takes: Duration,
    pub(super) outcome: Outcome,
    pub(super) said: Vec<u8>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, String>,
    /// From its start until its probe succeeds; nothing: never.
    pub(super) ready: Option<Duration>,
    pub(super) lingers: Duration,
}

impl Script {
    /// Reads a script as its attempt number `attempt`, from 0. What is no word of it does nothing.
    pub(super) fn read(text: &str, attempt: u32) -> Self {
        let mut script = Script {
            takes: Duration::from_millis(20),
            outcome: Outcome::Exit { code: 0 },
            said: Vec::new(),
            outputs: BTreeMap::new(),
            files: BTreeMap::new(),
            ready: Some(Duration::ZERO),
            lingers: Duration::ZERO,
        };
        for line in text.split(['\n', ';']).map(str::trim) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "sleep" => script.takes += seconds(rest),
                "exit" => {
                    script.outcome = Outcome::Exit { code: rest.parse().unwrap_or(0) };
                    return script;
                }
                "exit-until" if attempt + 1 < rest.parse().unwrap_or(0) => {
                    script.outcome = Outcome::Exit { code: 1 };
                    return script;
                }
                "kill" => {
                    script.outcome = Outcome::Killed { signal: "SIGKILL".to_owned() };
                    return script;
                }
                "echo" => script.echo(rest),
                "noise" => script.said.extend(noise(rest).bytes()),
                "fill" => {
                    let (length, path) = rest.split_once('>').unwrap_or((rest, ""));
                    script.files.insert(path.trim().to_owned(), noise(length.trim()));
                }
                "ready" => script.ready = (rest != "never").then(|| seconds(rest)),
                "linger" => script.lingers = seconds(rest),
                _ => {}
            }
        }
        script
    }

    fn echo(&mut self, rest: &str) {
        let Some((text, path)) = rest.split_once('>') else {
            self.said.extend_from_slice(rest.as_bytes());
            self.said.push(b'\n');
            return;
        };
        let (text, path) = (text.trim().to_owned(), path.trim());
        match path.strip_prefix(OUTPUTS) {
            Some(name) => self.outputs.insert(name.to_owned(), text),
            None => self.files.insert(path.to_owned(), text),
        };
    }
}

fn noise(length: &str) -> String {
    ('a'..='z').cycle().take(length.parse().unwrap_or(0)).collect()
}

fn seconds(text: &str) -> Duration {
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_how_long_it_takes_what_it_leaves_and_how_it_ends() {
        let script = Script::read("sleep 1.5; echo 7 > /testkube/outputs/n\necho hi; exit 3; echo never", 0);
        assert_eq!(script.takes, Duration::from_millis(1520));
        assert_eq!(script.outcome, Outcome::Exit { code: 3 });
        assert_eq!(script.outputs["n"], "7");
        assert_eq!(script.said, b"hi\n");
    }

    #[test]
    fn a_script_may_fail_until_an_attempt() {
        let codes: Vec<_> = (0..3).map(|attempt| Script::read("exit-until 2", attempt).outcome).collect();
        assert_eq!(codes, [1, 0, 0].map(|code| Outcome::Exit { code }));
    }
}
