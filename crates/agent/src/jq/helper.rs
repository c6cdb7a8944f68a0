//! The process that runs one query.

use std::io::{Read, Write};
use std::thread;

use rustix::process::{Resource, Rlimit, setrlimit};
use testudo_core::expr::Value;

use super::{Response, engine};

/// Address space, the stack below included.
const MEMORY: u64 = 1 << 30;
const CPU_SECONDS: u64 = 10;
/// Recursion is how jq loops. What needs more than this is killed by its own overflow.
const STACK: usize = 256 << 20;

/// Reads one request from stdin, writes one response to stdout, and ends the process.
pub fn helper_main() -> ! {
    let response = limit_self().and_then(|()| respond()).unwrap_or_else(Response::Error);
    let written = serde_json::to_vec(&response).map(|text| std::io::stdout().write_all(&text));
    std::process::exit(i32::from(!matches!(written, Ok(Ok(())))))
}

fn limit_self() -> Result<(), String> {
    let limit = |resource, amount| setrlimit(resource, Rlimit { current: Some(amount), maximum: Some(amount) });
    limit(Resource::As, MEMORY)
        .and_then(|()| limit(Resource::Cpu, CPU_SECONDS))
        .and_then(|()| limit(Resource::Core, 0))
        .map_err(|error| format!("cannot limit the helper: {error}"))
}

fn respond() -> Result<Response, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let request = Value::from_json_text(&text).map_err(|error| error.message)?;
    let Value::Map(fields) = &request else { return Err("the request is no object".to_owned()) };
    let (Some(query), Some(input)) = (fields.get("query").and_then(Value::as_str), fields.get("input")) else {
        return Err("the request has no query or no input".to_owned());
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || engine::run(query, input).map(Response::Outputs))
            .map_err(|error| error.to_string())?
            .join()
            .map_err(|_| "the query cannot be run".to_owned())?
    })
}
