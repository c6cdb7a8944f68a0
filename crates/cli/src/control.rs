//! Pause and resume from another terminal: words over the socket of whoever drives the run.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use anyhow::Context;
use testudo_engine::Control;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixListener,
    sync::mpsc,
    task::JoinSet,
};

use crate::{environment, exit, find::Absent};

const SOCKET: &str = "engine.sock";

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
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.into_split();
            let mut line = String::new();
            // One word a connection; whoever says nothing is not waited for.
            let wait = std::time::Duration::from_secs(2);
            let read = tokio::time::timeout(wait, BufReader::new(reader).read_line(&mut line)).await;
            let control = match line.trim() {
                "pause" => Some(Control::Pause),
                "resume" => Some(Control::Resume),
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

/// Says a word to whoever drives a run.
pub(crate) fn ask(execution: Option<&str>, word: &str) -> anyhow::Result<u8> {
    let folder = environment::state()?.find(execution)?;
    let name = &folder.meta.name;
    let mut stream = socket(folder.path())
        .and_then(|(path, _folder)| UnixStream::connect(path))
        .map_err(|_| Absent(format!("{name} is not running")))?;
    stream.write_all(format!("{word}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.trim() == "ok", "{name} could not be asked to {word}");
    anstream::eprintln!("{name}: asked to {word}");
    Ok(exit::PASSED)
}
