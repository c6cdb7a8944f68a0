//! `testudo kube`: what there is to do about a cluster apart from runs.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde_json::json;
use testudo_core::plan::KeepPod;
use testudo_kube::{
    Cluster, default_namespace,
    left::{Fate, Left, Row},
    rights,
};
use testudo_store::{Folder, State};

use crate::{
    args::{GcArgs, KubeLsArgs, Output, RbacArgs},
    environment, exit,
    planning::millis,
    reporter::words,
};

/// `testudo kube rbac`.
pub(crate) fn rbac(args: &RbacArgs) -> anyhow::Result<u8> {
    let namespace = match &args.namespace {
        Some(namespace) => namespace.clone(),
        None => runtime()?.block_on(default_namespace()).unwrap_or_else(|| "default".to_owned()),
    };
    print!("{}", rights::yaml(&namespace, &args.service_account));
    Ok(exit::PASSED)
}

/// `testudo kube ls`.
pub(crate) fn ls(args: &KubeLsArgs) -> anyhow::Result<u8> {
    let state = environment::state()?;
    let run = args.run.as_deref().map(|name| state.find(Some(name))).transpose()?;
    let run = run.map(|folder| folder.meta.id);
    let left = runtime()?.block_on(async {
        let cluster = Cluster::find(args.namespace.as_deref()).await?;
        Left::find(&cluster, run.as_deref()).await
    })?;
    let rows = left.rows(Timestamp::now());
    // Runs of other machines have no other name here.
    let name =
        |row: &Row| Folder::open(&state.folder(&row.run)).map_or_else(|_| row.run.clone(), |folder| folder.meta.name);
    match args.output {
        Output::Json => {
            for row in &rows {
                let (run, age) = (name(row), u64::try_from(row.age.as_millis()).unwrap_or(u64::MAX));
                let Row { run: id, workflow, unit, node, phase, reason, .. } = row;
                let object = json!({
                    "run": run, "id": id, "workflow": workflow, "unit": unit, "node": node, "phase": phase,
                    "reason": reason, "ageMs": age,
                });
                println!("{object}");
            }
        }
        Output::Pretty => table(rows.iter().map(|row| {
            let node = row.node.clone().unwrap_or_else(|| "-".to_owned());
            [name(row), row.unit.clone(), node, row.phase.to_owned(), words::duration(row.age), row.reason.clone()]
        })),
    }
    Ok(exit::PASSED)
}

/// Columns as wide as they have to be; the last as it comes.
fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| words::width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N - 1).map(width).chain([0]).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        anstream::println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// `testudo kube gc`.
pub(crate) fn gc(args: &GcArgs) -> anyhow::Result<u8> {
    let older = Duration::from_millis(millis("--older-than", &args.older_than)?);
    let state = environment::state()?;
    runtime()?.block_on(async {
        let cluster = Cluster::find(args.namespace.as_deref()).await?;
        let left = Left::find(&cluster, None).await?;
        let surplus = left.surplus(Timestamp::now(), older, |run| fate(&state, run));
        for one in &surplus {
            if !args.dry_run {
                one.remove(&cluster).await?;
            }
            println!("{}/{}", one.kind, one.name);
        }
        let what = words::counted(surplus.len() as u64, "object");
        let done = if args.dry_run { "would be removed" } else { "removed" };
        anstream::eprintln!("{what} {done}, with all that they own");
        Ok(exit::PASSED)
    })
}

/// What this machine knows of a run.
fn fate(state: &State, run: &str) -> Fate {
    let Ok(folder) = state.by_id(run) else { return Fate::Unknown };
    match folder.execution() {
        _ if folder.is_driven() => Fate::Driven,
        Ok(execution) if execution.ended().is_some() => match folder.plan.limits.keep_pod {
            KeepPod::Never => Fate::Ended,
            // What is left was left for people, for as long as the cluster keeps it.
            KeepPod::OnFailure | KeepPod::Always => Fate::Kept,
        },
        Ok(_) | Err(_) => Fate::Kept,
    }
}

/// Between two sweeps of one state folder.
const SWEEP: Duration = Duration::from_mins(10);
/// How long what may be recovered is kept, as the cluster keeps it: `ttlSecondsAfterFinished`.
pub(crate) const TTL: Duration = Duration::from_hours(1);

/// Removes what ended runs of this state folder have left, now and then. Nobody waits for it, and that it cannot is no
/// news: the cluster has a limit of its own.
pub(crate) async fn sweep(state: State, namespace: Option<String>) {
    let stamp = state.root().join("swept");
    let last = fs::metadata(&stamp).and_then(|data| data.modified()).ok();
    if last.and_then(|last| SystemTime::now().duration_since(last).ok()).is_some_and(|since| since < SWEEP) {
        return;
    }
    let _ = fs::write(&stamp, b"");
    let Ok(cluster) = Cluster::find(namespace.as_deref()).await else { return };
    let Ok(left) = Left::jobs(&cluster).await else { return };
    for one in left.surplus(Timestamp::now(), TTL, |run| match fate(&state, run) {
        Fate::Unknown => Fate::Driven,
        known => known,
    }) {
        let _ = one.remove(&cluster).await;
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
