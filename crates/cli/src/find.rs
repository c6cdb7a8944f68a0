//! Runs of this machine: found, listed, reported on.

use testudo_store::{Folder, StoreError};

use crate::{
    args::{LsArgs, Output, ReportArgs},
    environment, exit,
    reporter::words,
};

/// What was asked for is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Absent(pub(crate) String);

/// The exit code that an error asks for.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let absent = error.chain().any(|cause| {
        cause.downcast_ref::<Absent>().is_some()
            || matches!(cause.downcast_ref::<StoreError>(), Some(StoreError::Absent(_) | StoreError::Busy(_)))
    });
    if absent { exit::ABSENT } else { exit::USAGE }
}

/// `testudo ls`.
pub(crate) fn ls(args: &LsArgs) -> anyhow::Result<u8> {
    let state = environment::state()?;
    let mut rows = Vec::new();
    for meta in state.list()? {
        if args.workflow.as_ref().is_some_and(|workflow| *workflow != meta.workflow) {
            continue;
        }
        let Ok(folder) = Folder::open(&state.folder(&meta.id)) else { continue };
        let Ok(execution) = folder.execution() else { continue };
        let (status, length) = match execution.ended() {
            Some((status, at)) => (status.to_string(), Some(at)),
            None if folder.is_driven() => (execution.status().to_string(), None),
            None => ("lost".to_owned(), None),
        };
        let took = length.map(|end| end.duration_since(meta.created).unsigned_abs());
        rows.push((meta, status, took));
    }
    match args.output {
        Output::Json => {
            for (meta, status, took) in rows {
                let row = serde_json::json!({
                    "id": meta.id, "name": meta.name, "workflow": meta.workflow, "number": meta.number,
                    "status": status, "created": meta.created.to_string(),
                    "durationMs": took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
                    "artifacts": meta.artifacts,
                });
                println!("{row}");
            }
        }
        Output::Pretty => {
            let width = rows.iter().map(|(meta, ..)| meta.name.chars().count()).max().unwrap_or(4).max(4);
            for (meta, status, took) in &rows {
                let took = took.map(words::duration).unwrap_or_default();
                let created = meta.created.strftime("%Y-%m-%d %H:%M:%S");
                anstream::println!("{:width$}  {status:9}  {took:>8}  {created}", meta.name);
            }
            if rows.iter().any(|(_, status, _)| status == "lost") {
                anstream::eprintln!("`testudo recover NAME` carries on a lost run");
            }
        }
    }
    Ok(exit::PASSED)
}

/// `testudo report`.
pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<u8> {
    let folder = environment::state()?.find(args.execution.as_deref())?;
    let text = crate::report::render(&folder.execution()?, args.format)?;
    match &args.out {
        Some(path) => std::fs::write(path, text)?,
        None => print!("{text}"),
    }
    Ok(exit::PASSED)
}
