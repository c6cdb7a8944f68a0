//! Pause, resume and cancel from another terminal: words over the socket of whoever drives the run.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use anyhow::Context;
use testudo_core::run::StopHow;
use testudo_engine::Control;
use testudo_store::Folder;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixListener,
    sync::mpsc,
    task::JoinSet,
};

use crate::{args::CancelArgs, environment, exit, find::Absent};

const SOCKET: &str = "engine.sock";
/// Why a run ends that somebody asked to.
const ASKED: &str = "asked to by `testudo cancel`";

/// The path of the socket by way of a descriptor: state folders lie deep, and the kernel takes 107 bytes.
fn socket(folder: &Path) -> io::Result<(PathBuf, File)> {
    let folder = File::open(folder)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())), folder))
}

/// Listens for words until the result is dropped.
pub(crate) fn open(folder: &Path, controls: mpsc::Sender<Control>) -> anyhow::Result<JoinSet<()>> {
    // Left behind by a testudo that died: whoever holds the lock may take its place.
    let _ = std::fs::remove_file(folder.join(SOCKET));
    let listener = socket(folder).and_then(|(path, _folder)| UnixListener::bind(path));
    let listener = listener.with_context(|| format!("listening at {}", folder.join(SOCKET).display()))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut stops = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.into_split();
            let mut line = String::new();
            // One word a connection; whoever says nothing is not waited for.
            let wait = std::time::Duration::from_secs(2);
            let read = tokio::time::timeout(wait, BufReader::new(reader).read_line(&mut line)).await;
            let control = match line.trim() {
                "pause" => Some(Control::Pause),
                "resume" => Some(Control::Resume),
                // As with Ctrl-C: first in order, then at once.
                "cancel" => {
                    stops += 1;
                    let how = if stops == 1 { StopHow::Cancel } else { StopHow::Kill };
                    Some(Control::Stop(how, ASKED.to_owned()))
                }
                "kill" => Some(Control::Stop(StopHow::Kill, ASKED.to_owned())),
                _ => None,
            };
            let obeyed = match control {
                Some(control) if matches!(read, Ok(Ok(_))) => controls.send(control).await.is_ok(),
                _ => false,
            };
            let answer = if obeyed { "ok\n" } else { "what?\n" };
            let _ = writer.write_all(answer.as_bytes()).await;
        }
    });
    Ok(tasks)
}

/// Asks a run to end.
pub(crate) fn cancel(args: &CancelArgs) -> anyhow::Result<u8> {
    if args.force {
        return ask(args.execution.as_deref(), "kill");
    }
    let code = ask(args.execution.as_deref(), "cancel")?;
    anstream::eprintln!("it stops in order; asking again kills");
    Ok(code)
}

/// Why nobody can be asked about a run.
fn unreachable(folder: &Folder) -> anyhow::Result<Absent> {
    let name = &folder.meta.name;
    Ok(Absent(match (folder.execution()?.ended(), &folder.meta.parent) {
        (Some((status, _)), _) => format!("{name} is not running: it has ended ({status})"),
        (None, Some(parent)) => format!("{name} belongs to {parent}: ask that"),
        (None, None) => format!("{name} is not running: its testudo died; `testudo recover {name}` carries it on"),
    }))
}

/// Says a word to whoever drives a run.
pub(crate) fn ask(execution: Option<&str>, word: &str) -> anyhow::Result<u8> {
    let folder = environment::state()?.find(execution)?;
    let name = &folder.meta.name;
    let connected = socket(folder.path()).and_then(|(path, _folder)| UnixStream::connect(path));
    let Ok(mut stream) = connected else { return Err(unreachable(&folder)?.into()) };
    stream.write_all(format!("{word}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.trim() == "ok", "{name} could not be asked to {word}");
    anstream::eprintln!("{name}: asked to {word}");
    Ok(exit::PASSED)
}
