//! `content.tarball`: archives that are downloaded and unpacked, and what the step that started this execution packed.

use std::{path::PathBuf, process::Command};

use testudo_core::{frame, plan::Tarball, run::Outcome};

use super::{Evaluate, Hand, command, packs};
use crate::sys;

/// Attempts of one download.
const ATTEMPTS: u32 = 5;

/// What to download, and where it goes.
pub(crate) struct Fetch(Vec<(String, PathBuf)>);

impl Fetch {
    pub(super) fn new(evaluate: &Evaluate<'_>, entries: &[Tarball]) -> Result<Self, Outcome> {
        let entries = entries.iter().map(|entry| Ok((evaluate.text(&entry.url)?, evaluate.path(&entry.path)?)));
        Ok(Fetch(entries.collect::<Result<_, Outcome>>()?))
    }

    pub(super) async fn carry_out(self, hand: &Hand) -> Outcome {
        for (number, (url, path)) in self.0.into_iter().enumerate() {
            if let Some((of, pack)) = frame::parse_pack_url(&url) {
                let unpacked = packs::unpack_of_family(hand, of, pack, path).await;
                if unpacked != (Outcome::Exit { code: 0 }) {
                    return unpacked;
                }
                continue;
            }
            let archive = PathBuf::from(format!("/.testudo/tarball-{number}"));
            if let Err(error) = std::fs::create_dir_all("/.testudo") {
                return Outcome::Error { message: format!("/.testudo: {error}") };
            }
            let mut downloaded = Outcome::Exit { code: 1 };
            for _ in 0..ATTEMPTS {
                let mut curl = Command::new("curl");
                curl.args(["-fsSL", "--max-time", "600", "-o"]).arg(&archive).arg("--").arg(&url);
                sys::prepare(&mut curl, hand.caller, Vec::new());
                downloaded = command::run(hand, curl, "curl".as_ref()).await;
                if downloaded == (Outcome::Exit { code: 0 }) {
                    break;
                }
            }
            if downloaded != (Outcome::Exit { code: 0 }) {
                return downloaded;
            }
            let unpacked = {
                let (archive, path) = (archive.clone(), path.clone());
                tokio::task::spawn_blocking(move || packs::unpack_gzip(&archive, &path)).await
            };
            let _ = std::fs::remove_file(&archive);
            match unpacked {
                Ok(Ok(files)) => hand.say(&format!("{url}: {files} files unpacked to {}", path.display())),
                Ok(Err(error)) => return Outcome::Error { message: format!("{url}: {error}") },
                Err(error) => return Outcome::Error { message: error.to_string() },
            }
        }
        Outcome::Exit { code: 0 }
    }
}
