//! `jq()`, always in a process of its own: a query may halt, recurse without end, or want all memory there is, and
//! none of that is the agent's problem. The program starts itself with the argument `jq`; the helper puts limits on
//! itself, answers one request and ends.

mod arithmetic;
mod engine;
mod functions;
mod helper;
mod json;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use testudo_core::expr::{Expr, ExprError, Scope, Value, jq_arguments};

pub use helper::helper_main;

/// The hidden argument that makes a program of ours the helper.
pub const HELPER_ARGUMENT: &str = "jq";

const TIME_LIMIT: Duration = Duration::from_secs(10);
/// More than any value the language allows, so that what is cut off is refused anyway.
const OUTPUT_LIMIT: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    query: String,
    input: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Response {
    Outputs(Vec<Value>),
    Error(String),
}

/// Answers `jq(input, query)` with the list of all outputs.
///
/// Blocks for as long as the query takes: not for the threads of an async runtime.
#[derive(Clone, Debug)]
pub struct JqHost {
    program: PathBuf,
    time_limit: Duration,
}

impl JqHost {
    /// With the running program as the helper.
    pub fn new() -> std::io::Result<Self> {
        std::env::current_exe().map(Self::with_program)
    }

    /// With another program that calls [`helper_main`] when started with [`HELPER_ARGUMENT`].
    pub fn with_program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), time_limit: TIME_LIMIT }
    }

    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// All outputs of a query.
    pub fn run(&self, input: &Value, query: &str) -> Result<Value, ExprError> {
        let request = Request { query: query.to_owned(), input: input.clone() };
        let request = serde_json::to_vec(&request).map_err(|error| ExprError::new(format!("jq: {error}")))?;
        let answer = self.ask(request)?;
        match Value::from_json_text(&answer).map(|response| field(&response)) {
            Ok(Some(("outputs", outputs))) => Ok(outputs),
            Ok(Some(("error", message))) => Err(ExprError::new(format!("jq: {}", message.string_form()))),
            _ => Err(ExprError::new("jq: the query took too much memory or time")),
        }
    }

    fn ask(&self, request: Vec<u8>) -> Result<String, ExprError> {
        let failed = |error: std::io::Error| ExprError::new(format!("jq: cannot run the helper: {error}"));
        let mut child = Command::new(&self.program)
            .arg(HELPER_ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // A helper that dies early leaves its request unread; what it did not say is judged below.
        thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&request)));
        let (answered, answer) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut text = String::new();
            let read = stdout.map_or(Ok(0), |stdout| stdout.take(OUTPUT_LIMIT).read_to_string(&mut text));
            answered.send(read.map(|_| text))
        });
        let answer = answer.recv_timeout(self.time_limit);
        // Harmless once it has ended, needed if it has not; either way it must be waited for.
        let _ = child.kill();
        let _ = child.wait();
        let Ok(text) = answer else {
            let limit = self.time_limit.as_secs();
            return Err(ExprError::new(format!("jq: the query took longer than {limit} seconds")));
        };
        text.map_err(failed)
    }
}

/// The only field of a response.
fn field(response: &Value) -> Option<(&'static str, Value)> {
    let Value::Map(fields) = response else { return None };
    ["outputs", "error"].into_iter().find_map(|name| fields.get(name).map(|value| (name, value.clone())))
}

impl Scope for JqHost {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        if name != "jq" {
            return Ok(None);
        }
        let (input, query) = jq_arguments(args)?;
        self.run(input, &query).map(|outputs| Some(outputs.into()))
    }
}
