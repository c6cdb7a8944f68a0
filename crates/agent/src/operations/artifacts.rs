//! Artifacts: files that people keep. The operation waits until they are kept, so a failure is the step's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use testudo_core::frame::PackId;
use testudo_core::{
    glob::{Globs, fixed_prefix},
    junit,
    plan::{Artifacts, Surroundings},
    run::{Outcome, PackPurpose, Report, Told},
};

use super::{Evaluate, Hand, Hears, packs, walk};
use crate::scope::normal;

/// Longest report file that is looked into.
const LONGEST_REPORT: u64 = 64 << 20;
/// Where `<testsuite` has to stand in a `JUnit` file.
const PROLOGUE: usize = 8 * 1024;

/// What to collect, and under which names.
pub(crate) struct Collect {
    patterns: Vec<String>,
    directory: PathBuf,
    volumes: Vec<PathBuf>,
    compress: Option<String>,
}

impl Collect {
    pub(super) fn new(evaluate: &Evaluate<'_>, artifacts: &Artifacts, around: &Surroundings) -> Result<Self, Outcome> {
        let directory = match &artifacts.working_dir {
            Some(dir) => evaluate.path(dir)?,
            None => evaluate.environment.working_dir.clone(),
        };
        let mut volumes: Vec<PathBuf> = ["/data", "/tmp", "/testkube"].map(PathBuf::from).to_vec();
        for volume in &around.volumes {
            volumes.push(evaluate.path(volume)?);
        }
        Ok(Collect {
            patterns: evaluate.list(&artifacts.paths)?,
            directory,
            volumes,
            compress: artifacts.compress.as_deref().map(|name| evaluate.text(name)).transpose()?,
        })
    }

    pub(super) async fn carry_out(self, hand: &Hand, mut hears: Hears) -> Outcome {
        let begun = std::time::Instant::now();
        let patterns: Vec<(String, String)> = self
            .patterns
            .iter()
            .map(|pattern| {
                let absolute = self.directory.join(pattern).to_string_lossy().into_owned();
                let base = fixed_prefix(&absolute).0;
                (absolute, base)
            })
            .filter(|(_, base)| {
                let base = normal(Path::new(base));
                self.volumes.iter().any(|volume| base.starts_with(volume) || volume.starts_with(&base))
            })
            .filter(|(absolute, base)| {
                let on_volume = |path: &Path| self.volumes.iter().any(|volume| path.starts_with(volume));
                // A plain name has its own folder as base: it may be a volume's sibling.
                on_volume(&normal(Path::new(base)))
                    || absolute.contains("**") && base != "/"
                    || on_volume(Path::new(absolute))
            })
            .collect();
        if patterns.is_empty() {
            let message = "error: did not found any valid path pattern in the mounted directories".to_owned();
            return Outcome::Error { message };
        }
        let root = common_root(&self.directory, patterns.iter().map(|(_, base)| normal(Path::new(base))));
        let globs = match Globs::new("/", patterns.iter().map(|(pattern, _)| pattern.as_str())) {
            Ok(globs) => globs,
            Err(error) => return Outcome::Error { message: format!("error: {error}") },
        };
        let named = |part: &str| patterns.iter().any(|(pattern, _)| pattern.contains(part));
        let hidden: Vec<&str> = ["/data/.steps", "/data/.testkube"].into_iter().filter(|part| !named(part)).collect();
        let volumes = self.volumes.clone();
        let collected =
            walk::collect(&root, &globs, |path| hidden.iter().any(|hidden| path == Path::new(hidden)), &volumes);
        for warning in &collected.warnings {
            hand.say(warning);
        }
        hand.say(&format!("Root: {}", root.display()));
        hand.say("Patterns:");
        for pattern in &self.patterns {
            hand.say(&format!("- {pattern}"));
        }
        if collected.files.is_empty() {
            hand.say("No artifacts found.");
            return Outcome::Exit { code: 0 };
        }
        let outcome = self.keep(hand, &mut hears, &collected.files).await;
        if outcome == (Outcome::Exit { code: 0 }) {
            hand.say(&format!("Took {}.", rounded(begun.elapsed())));
        }
        outcome
    }

    async fn keep(&self, hand: &Hand, hears: &mut Hears, files: &[(PathBuf, PathBuf)]) -> Outcome {
        let mut total = 0;
        for (path, name) in files {
            let size = fs::metadata(path).map_or(0, |meta| meta.len());
            total += size;
            hand.say(&format!("{} ({})", name.display(), human(size)));
            look_into(hand, path, name, size);
        }
        let pack = PackId(format!("{}.{}.{}", hand.unit.replace('/', "+"), hand.r#ref, hand.attempt));
        let file = match packs::create(&hand.folder, &pack.0) {
            Ok(file) => file,
            Err(error) => {
                return Outcome::Error { message: format!("error: the artifacts could not be packed: {error}") };
            }
        };
        let (files, compress) = (files.to_vec(), self.compress.clone());
        let count = files.len();
        let made = tokio::task::spawn_blocking(move || match compress {
            None => packs::write_following(file, &files),
            Some(name) => packs::write_compressed(file, &files, &archive_name(&name)),
        });
        let (length, digest, entries) = match made.await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                return Outcome::Error { message: format!("error: the artifacts could not be packed: {error}") };
            }
            Err(error) => return Outcome::Error { message: error.to_string() },
        };
        let purpose = PackPurpose::Artifacts { step: hand.step, attempt: hand.attempt, entries };
        hand.report(Report::Packed { pack: pack.clone(), length, digest, purpose });
        while let Some(told) = hears.recv().await {
            match told {
                Told::Kept { pack: kept, error } if kept == pack => {
                    return match error {
                        None => {
                            hand.say(&format!("Found and uploaded {count} files ({}).", human(total)));
                            Outcome::Exit { code: 0 }
                        }
                        Some(error) => Outcome::Error { message: format!("error: {error}") },
                    };
                }
                _ => {}
            }
        }
        Outcome::Error { message: "error: nobody kept the artifacts".to_owned() }
    }
}

/// The longest common path of the working directory and the patterns' fixed parts.
fn common_root(directory: &Path, bases: impl Iterator<Item = PathBuf>) -> PathBuf {
    bases.fold(directory.to_owned(), |root, base| {
        root.components().zip(base.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    })
}

fn archive_name(name: &str) -> String {
    if [".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)) {
        name.to_owned()
    } else if let Some(stem) = name.strip_suffix(".tar") {
        format!("{stem}.tar.gz")
    } else {
        format!("{name}.tar.gz")
    }
}

/// Reports the cases of a test report; a file that cannot be read as one never fails the step.
fn look_into(hand: &Hand, path: &Path, name: &Path, size: u64) {
    let is_xml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
    if !is_xml || size == 0 {
        return;
    }
    if size > LONGEST_REPORT {
        hand.say(&format!("warn: {} is too long to be read as a test report", name.display()));
        return;
    }
    let Ok(bytes) = fs::read(path) else { return };
    let start = &bytes[..bytes.len().min(PROLOGUE)];
    let wide = start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]);
    if !wide && !start.windows(b"<testsuite".len()).any(|window| window == b"<testsuite") {
        return;
    }
    let read = junit::read(&bytes);
    if wide && read.cases.is_empty() {
        return;
    }
    for lost in &read.lost {
        hand.say(&format!("warn: {}: {lost}", name.display()));
    }
    let mask = hand.output.borrow();
    let mask = mask.mask();
    let cases = read
        .cases
        .into_iter()
        .map(|mut case| {
            let texts = [&mut case.suite, &mut case.class, &mut case.name, &mut case.message, &mut case.details];
            for text in texts.into_iter().chain(case.file.as_mut()) {
                *text = mask.text(text);
            }
            case
        })
        .collect();
    let file = mask.text(&name.to_string_lossy());
    hand.report(Report::Cases { step: hand.step, file, kind: "junit".to_owned(), cases });
}

fn human(bytes: u64) -> String {
    const UNITS: &[&str] = &["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if size < 9.95 { format!("{size:.1} {}", UNITS[unit]) } else { format!("{size:.0} {}", UNITS[unit]) }
}

fn rounded(length: std::time::Duration) -> String {
    let millis = length.as_millis();
    if millis < 1000 { format!("{millis}ms") } else { format!("{:.1}s", length.as_secs_f64()) }
}
