//! `testudo doctor`: whether there is what a run needs, before one is begun.

use serde_json::json;
use testudo_agent::sys::{self, Caller};
use testudo_kube::{
    Cluster,
    doctor::{Check, Found, examine},
};

use crate::{
    args::{DoctorArgs, Output, RunnerKind},
    environment, exit,
    reporter::style::{BAD, RESET},
};

pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<u8> {
    let mut checks = vec![state()];
    match args.runner {
        RunnerKind::Process => checks.push(namespaces()),
        RunnerKind::Kube => checks.extend(cluster(args.namespace.as_deref())?),
    }
    match args.output {
        Output::Json => checks.iter().for_each(|check| println!("{}", object(check))),
        Output::Pretty => show(&checks),
    }
    let missing = checks.iter().any(|check| matches!(check.found, Found::Missing { .. }));
    Ok(if missing { exit::FAILED } else { exit::PASSED })
}

fn object(Check { what, found }: &Check) -> serde_json::Value {
    match found {
        Found::Ok(detail) => json!({"check": what, "found": "ok", "detail": detail}),
        Found::Missing { why, mend } => json!({"check": what, "found": "missing", "detail": why, "mend": mend}),
    }
}

fn show(checks: &[Check]) {
    let width = checks.iter().map(|check| check.what.len()).max().unwrap_or(0);
    for Check { what, found } in checks {
        match found {
            Found::Ok(detail) => anstream::println!("ok       {what:width$}  {detail}"),
            Found::Missing { why, mend } => {
                anstream::println!("{BAD}missing{RESET}  {what:width$}  {why}; to mend it: {mend}");
            }
        }
    }
}

/// Whether runs can be kept.
fn state() -> Check {
    let found = environment::state().and_then(|state| {
        tempfile(&state.executions())?;
        Ok(state)
    });
    match found {
        Ok(state) => Check::ok("state folder", state.root().display().to_string()),
        Err(error) => Check::missing("state folder", format!("{error:#}"), "name another with TESTUDO_STATE"),
    }
}

fn tempfile(folder: &std::path::Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::create_dir(&probe)?;
    std::fs::remove_dir(&probe)
}

/// Whether units can be processes of this machine.
fn namespaces() -> Check {
    let caller = Caller::current();
    match (sys::may_isolate(caller), caller) {
        (Ok(()), Caller::User { .. }) => Check::ok("namespaces", "an ordinary user may make them"),
        (Ok(()), Caller::Root | Caller::Container) => Check::ok("namespaces", "as root"),
        // The error says how.
        (Err(error), _) => Check::missing("namespaces", error.to_string(), "or run on a cluster: --runner kube"),
    }
}

fn cluster(namespace: Option<&str>) -> anyhow::Result<Vec<Check>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        match Cluster::find(namespace).await {
            Ok(cluster) => examine(&cluster).await,
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::new(error));
                vec![Check::missing("cluster", why, "set KUBECONFIG, or write ~/.kube/config")]
            }
        }
    }))
}
