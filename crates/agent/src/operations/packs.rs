//! Packs: bundles of files as tar streams, made here or read from the engine.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use sha2::{Digest, Sha256};
use testudo_core::{
    frame::{Answered, Ask, FamilySource, MAX_READ, PackId, Source as FrameSource, hex},
    glob::Globs,
    plan::{FetchEntry, PackSource},
    run::{Entries, Outcome, PackPurpose, Report},
};
use tokio::sync::mpsc;

use super::{Evaluate, Hand};
use crate::{processes::open_below, unit::Input};

/// Files to pack.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    from: PathBuf,
    files: Vec<String>,
    /// Where they go, for packs that are handed back.
    to: String,
}

/// Most files, and most bytes, that one pack may unpack to.
const MOST_FILES: u64 = 1_000_000;
const MOST_BYTES: u64 = 1 << 40;

impl Source {
    pub(super) fn transfer(evaluate: &Evaluate<'_>, source: &PackSource) -> Result<Self, Outcome> {
        Ok(Source { from: evaluate.path(&source.from)?, files: source.files.clone(), to: String::new() })
    }

    pub(super) fn fetch(evaluate: &Evaluate<'_>, entry: &FetchEntry) -> Result<Self, Outcome> {
        Ok(Source {
            from: evaluate.path(&entry.from)?,
            files: evaluate.list(&entry.files)?,
            to: evaluate.text(&entry.to)?,
        })
    }
}

/// Packs files and tells the engine.
pub(super) async fn make(hand: &Hand, pack: &PackId, source: Source, purpose: PackPurpose) -> Result<Entries, String> {
    let folder = hand.folder.clone();
    let name = pack.0.clone();
    let file = create(&folder, &name).map_err(|error| format!("a pack could not be made: {error}"))?;
    let made = tokio::task::spawn_blocking(move || {
        let files = gather(&source)?;
        write(file, &files)
    });
    let (length, digest, entries) =
        made.await.map_err(|error| error.to_string())?.map_err(|error| format!("a pack could not be made: {error}"))?;
    let purpose = match purpose {
        PackPurpose::Artifacts { step, attempt, .. } => PackPurpose::Artifacts { step, attempt, entries },
        other => other,
    };
    hand.report(Report::Packed { pack: pack.clone(), length, digest, purpose });
    Ok(entries)
}

/// A new file for a pack.
pub(super) fn create(folder: &std::os::fd::OwnedFd, name: &str) -> io::Result<File> {
    use rustix::fs::{Mode, mkdirat};
    match mkdirat(folder, "packs", Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let file = open_below(folder, &format!("packs/{name}"), true)?;
    file.set_len(0)?;
    Ok(file)
}

fn gather(source: &Source) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let base = source.from.to_string_lossy();
    if source.from.is_file() {
        let name = source.from.file_name().map(PathBuf::from).unwrap_or_default();
        return Ok(vec![(source.from.clone(), name)]);
    }
    let globs = Globs::new(&base, &source.files).map_err(io::Error::other)?;
    let mut files = Vec::new();
    for root in globs.roots() {
        for entry in walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().flatten() {
            let wanted = globs.matches(&entry.path().to_string_lossy());
            let keep = entry.file_type().is_file() || entry.path_is_symlink();
            if wanted
                && keep
                && let Ok(name) = entry.path().strip_prefix(&source.from)
            {
                files.push((entry.path().to_owned(), name.to_owned()));
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// What a pack turned out to be: its length, its digest, and what is in it.
type Written = (u64, String, Entries);

/// Writes files as a tar stream, links as links.
fn write(file: File, files: &[(PathBuf, PathBuf)]) -> io::Result<Written> {
    let (writer, entries) = append(Digesting::new(file), files, Links::AsLinks)?;
    writer.finish(entries)
}

/// Writes files as a tar stream, links as the bytes they lead to.
pub(super) fn write_following(file: File, files: &[(PathBuf, PathBuf)]) -> io::Result<Written> {
    let (writer, entries) = append(Digesting::new(file), files, Links::AsFiles)?;
    writer.finish(entries)
}

/// Writes a tar stream with one file in it: a gzip'ed tar of all files.
pub(super) fn write_compressed(file: File, files: &[(PathBuf, PathBuf)], name: &str) -> io::Result<Written> {
    let inner = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let bytes = append(inner, files, Links::AsFiles)?.0.finish()?;
    let mut archive = tar::Builder::new(Digesting::new(file));
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes.as_slice())?;
    archive.into_inner()?.finish(Entries { files: 1, bytes: bytes.len() as u64 })
}

/// What becomes of symbolic links.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    AsLinks,
    AsFiles,
}

fn append<W: Write>(writer: W, files: &[(PathBuf, PathBuf)], links: Links) -> io::Result<(W, Entries)> {
    let mut entries = Entries::default();
    let mut archive = tar::Builder::new(writer);
    archive.follow_symlinks(links == Links::AsFiles);
    for (path, name) in files {
        let meta = if links == Links::AsFiles { fs::metadata(path)? } else { fs::symlink_metadata(path)? };
        entries.files += 1;
        entries.bytes += meta.len();
        archive.append_path_with_name(path, name)?;
    }
    Ok((archive.into_inner()?, entries))
}

struct Digesting {
    inner: io::BufWriter<File>,
    digest: Sha256,
    length: u64,
}

impl Digesting {
    fn new(file: File) -> Self {
        Digesting { inner: io::BufWriter::with_capacity(1 << 20, file), digest: Sha256::new(), length: 0 }
    }

    fn finish(mut self, entries: Entries) -> io::Result<Written> {
        self.inner.flush()?;
        Ok((self.length, hex(&self.digest.finalize()), entries))
    }
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Packs files for the parent, one pack an entry.
pub(super) async fn fetch(hand: &Hand, sources: Vec<Source>) -> Outcome {
    for (number, source) in sources.into_iter().enumerate() {
        let pack = PackId(format!("{}.{}.{}.{number}", hand.unit.replace('/', "+"), hand.r#ref, hand.attempt));
        let from = source.from.display().to_string();
        let purpose = PackPurpose::Fetch { to: source.to.clone() };
        match make(hand, &pack, source, purpose).await {
            Ok(entries) => hand.say(&format!("{from}: {} files packed", entries.files)),
            Err(message) => return Outcome::Error { message },
        }
    }
    Outcome::Exit { code: 0 }
}

/// A pack on its way from the engine: asked for piece by piece, and again where a connection broke.
#[derive(Debug)]
pub(crate) struct Pull {
    what: Wanted,
    from: u64,
    bytes: mpsc::UnboundedSender<Result<Vec<u8>, String>>,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A pack of this execution.
    Own(PackId),
    /// What another execution of the family keeps.
    Family(String, FamilySource),
}

impl Pull {
    /// Of an execution of the same family.
    pub(crate) fn family(
        of: String,
        what: FamilySource,
        bytes: mpsc::UnboundedSender<Result<Vec<u8>, String>>,
    ) -> Self {
        Pull { what: Wanted::Family(of, what), from: 0, bytes }
    }

    /// The next piece.
    pub(crate) fn ask(&self, read: u64) -> Ask {
        let (from, length) = (self.from, MAX_READ);
        match self.what.clone() {
            Wanted::Own(pack) => Ask::Read { read, source: FrameSource::Pack(pack), from, length },
            Wanted::Family(of, what) => Ask::ReadFamily { read, of, what, from, length },
        }
    }

    /// Bytes have come.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.from += bytes.len() as u64;
        // An operation that was taken down reads no more.
        let _ = self.bytes.send(Ok(bytes.to_vec()));
    }

    /// A piece is over; whether the pack is.
    pub(crate) fn answered(&mut self, answered: &Answered) -> bool {
        if let Some(error) = &answered.error {
            let _ = self.bytes.send(Err(error.clone()));
        }
        answered.end || self.bytes.is_closed()
    }
}

/// Reads packs from the engine and unpacks them.
pub(super) async fn unpack_all(hand: &Hand, packs: Vec<(PackId, PathBuf)>) -> Outcome {
    for (pack, to) in packs {
        let unpacked = unpack_one(hand, Wanted::Own(pack), to).await;
        if unpacked != (Outcome::Exit { code: 0 }) {
            return unpacked;
        }
    }
    Outcome::Exit { code: 0 }
}

/// Reads a pack of another execution from the engine and unpacks it.
pub(super) async fn unpack_of_family(hand: &Hand, of: &str, pack: PackId, to: PathBuf) -> Outcome {
    unpack_one(hand, Wanted::Family(of.to_owned(), FamilySource::Pack(pack)), to).await
}

async fn unpack_one(hand: &Hand, what: Wanted, to: PathBuf) -> Outcome {
    // Bounded by what is asked for at a time.
    let (bytes, mut arrives) = mpsc::unbounded_channel();
    let _ = hand.inbox.send(Input::Pull(Pull { what, from: 0, bytes }));
    let (feed, pieces) = std::sync::mpsc::sync_channel::<Vec<u8>>(16);
    let target = to.clone();
    let unpacking =
        tokio::task::spawn_blocking(move || unpack(Stream { pieces, rest: Vec::new(), at: 0 }, &target, Trust::Ours));
    let mut failed = None;
    while let Some(piece) = arrives.recv().await {
        match piece {
            Ok(piece) => {
                let feed = feed.clone();
                let fed = tokio::task::spawn_blocking(move || feed.send(piece).is_ok());
                if !fed.await.unwrap_or(false) {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    drop(feed);
    let unpacked = unpacking.await;
    if let Some(error) = failed {
        return Outcome::Error { message: format!("files for {} could not be had: {error}", to.display()) };
    }
    match unpacked {
        Ok(Ok(files)) => hand.say(&format!("{files} files unpacked to {}", to.display())),
        Ok(Err(error)) => {
            return Outcome::Error { message: format!("files could not be unpacked to {}: {error}", to.display()) };
        }
        Err(error) => return Outcome::Error { message: error.to_string() },
    }
    Outcome::Exit { code: 0 }
}

struct Stream {
    pieces: std::sync::mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
    at: usize,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.rest.len() {
            match self.pieces.recv() {
                Ok(bytes) => (self.rest, self.at) = (bytes, 0),
                Err(_) => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len() - self.at);
        buffer[..length].copy_from_slice(&self.rest[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// Unpacks a gzip'ed tar file that comes from anywhere.
pub(super) fn unpack_gzip(archive: &Path, to: &Path) -> io::Result<u64> {
    unpack(flate2::read::MultiGzDecoder::new(File::open(archive)?), to, Trust::Nobody)
}

/// Where an archive comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// From a unit of the same run: its links may lead anywhere in this unit, as a virtual environment's do. Nothing
    /// is written through them all the same.
    Ours,
    Nobody,
}

/// Unpacks a tar stream below a folder; nothing is written outside of it.
fn unpack(stream: impl Read, to: &Path, trust: Trust) -> io::Result<u64> {
    fs::create_dir_all(to)?;
    let mut archive = tar::Archive::new(stream);
    archive.set_overwrite(true);
    let (mut files, mut bytes) = (0, 0);
    for entry in archive.entries()? {
        let mut entry = entry?;
        files += 1;
        bytes += entry.size();
        if files > MOST_FILES || bytes > MOST_BYTES {
            return Err(io::Error::other("there is more in it than may be unpacked"));
        }
        let name = entry.path()?.into_owned();
        if trust == Trust::Nobody
            && let Some(link) = entry.link_name()?
            && leaves(to, &name, &link)
        {
            return Err(io::Error::other(format!("{} links to {}, outside of it", name.display(), link.display())));
        }
        if !entry.unpack_in(to)? {
            return Err(io::Error::other(format!("{} lies outside of it", name.display())));
        }
    }
    Ok(files)
}

/// Whether a link leads out of the folder that it is unpacked to.
fn leaves(to: &Path, name: &Path, link: &Path) -> bool {
    if link.is_absolute() {
        return !link.starts_with(to);
    }
    let mut depth = name.parent().map_or(0, |parent| parent.components().count()) as i64;
    for part in link.components() {
        match part {
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}
