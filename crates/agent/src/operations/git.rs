//! `content.git`: a repository, cloned by the `git` program. Credentials travel in the environment, never as arguments.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use testudo_core::{
    duration,
    plan::{Credential, Git},
    run::Outcome,
};

use super::{Evaluate, Hand, command};
use crate::sys::{self, Caller};

/// A clone with everything in it final.
pub(crate) struct Clone {
    uri: String,
    revision: Option<String>,
    paths: Vec<String>,
    cone: bool,
    target: PathBuf,
    username: String,
    token: String,
    ssh_key: String,
    header: bool,
    verbosity: String,
    attempts: u32,
    delay: Duration,
    env: BTreeMap<String, String>,
}

/// Attempts when nobody says how many, and the most there may be.
const ATTEMPTS: (u32, u32) = (5, 20);
/// The base of the wait between attempts, and the longest wait.
const DELAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// Git's settings: nobody's but these. The last part is for a local repository, which answers with the same settings.
const CONFIG: &str = "\
[safe]
\tdirectory = *
[protocol \"file\"]
\tallow = always
[advice]
\tdetachedHead = false
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
";

impl Clone {
    pub(super) fn new(evaluate: &Evaluate<'_>, git: &Git, env: BTreeMap<String, String>) -> Result<Self, Outcome> {
        let credential = |credential: &Option<Credential>| match credential {
            None => Ok(String::new()),
            Some(Credential::Text(text)) => evaluate.text(text),
            Some(Credential::From(reference)) => {
                Ok(evaluate.values.references.get(&reference.path()).cloned().unwrap_or_default())
            }
        };
        let optional = |text: &Option<String>| text.as_deref().map(|text| evaluate.text(text)).transpose();
        let delay = optional(&git.retry_delay)?
            .and_then(|text| duration::parse_spaced(&text).ok())
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map_or(DELAY.0, Duration::from_nanos);
        Ok(Clone {
            uri: scp_like(&evaluate.text(&git.uri)?),
            revision: optional(&git.revision)?.filter(|revision| !revision.is_empty()),
            paths: evaluate.list(&git.paths)?,
            cone: git.cone,
            target: evaluate.path(&git.mount_path)?,
            username: credential(&git.username)?,
            token: credential(&git.token)?,
            ssh_key: credential(&git.ssh_key)?,
            header: optional(&git.auth_type)?.as_deref() == Some("header"),
            verbosity: optional(&git.verbosity)?.unwrap_or_else(|| "verbose".to_owned()),
            attempts: git.attempts.unwrap_or(ATTEMPTS.0).clamp(1, ATTEMPTS.1),
            delay: delay.min(DELAY.1),
            env,
        })
    }

    pub(super) async fn carry_out(self, hand: &Hand) -> Outcome {
        if self.uri.is_empty() {
            return Outcome::Error { message: "content.git has no uri".to_owned() };
        }
        let aside = self.target.with_file_name(format!(
            ".clone-{}",
            self.target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        ));
        let parent = aside.parent().unwrap_or(Path::new("/")).to_owned();
        if let Err(error) = fs::create_dir_all(&parent) {
            return Outcome::Error { message: format!("{} cannot be made: {error}", parent.display()) };
        }
        let outcome = self.clone_into(hand, &aside).await;
        if outcome != (Outcome::Exit { code: 0 }) {
            let _ = fs::remove_dir_all(&aside);
            return match outcome {
                Outcome::Exit { .. } => Outcome::Exit { code: 1 },
                other => other,
            };
        }
        let (from, to) = (aside.clone(), self.target.clone());
        let moved = tokio::task::spawn_blocking(move || put_in_place(&from, &to)).await;
        match moved {
            Ok(Ok(())) => Outcome::Exit { code: 0 },
            Ok(Err(error)) => Outcome::Error { message: format!("{}: {error}", self.target.display()) },
            Err(error) => Outcome::Error { message: error.to_string() },
        }
    }

    async fn clone_into(&self, hand: &Hand, aside: &Path) -> Outcome {
        let mut outcome = Outcome::Exit { code: 1 };
        for attempt in 1..=self.attempts {
            let _ = fs::remove_dir_all(aside);
            outcome = self.once(hand, aside).await;
            if !matches!(outcome, Outcome::Exit { code } if code != 0) || attempt == self.attempts {
                break;
            }
            tokio::time::sleep((self.delay * attempt).min(DELAY.1)).await;
        }
        outcome
    }

    async fn once(&self, hand: &Hand, aside: &Path) -> Outcome {
        let aside_text = aside.to_string_lossy().into_owned();
        let mut commands: Vec<Vec<String>> = vec![
            words(&["init", "--quiet", "--", &aside_text]),
            words(&["-C", &aside_text, "remote", "add", "--", "origin", &self.uri]),
        ];
        if !self.paths.is_empty() {
            let mut sparse = words(&[
                "-C",
                &aside_text,
                "sparse-checkout",
                "set",
                if self.cone { "--cone" } else { "--no-cone" },
                "--",
            ]);
            // `sparse-checkout set` takes no `--`; patterns never begin with a dash after this.
            sparse.pop();
            sparse.extend(
                self.paths.iter().map(|path| if path.starts_with('-') { format!("./{path}") } else { path.clone() }),
            );
            commands.push(sparse);
        }
        let mut fetch = words(&["-C", &aside_text, "fetch", "--depth", "1"]);
        if self.verbosity == "quiet" {
            fetch.push("--quiet".to_owned());
        }
        if !self.paths.is_empty() {
            fetch.push("--filter=blob:none".to_owned());
        }
        fetch.extend(words(&["origin", "--", self.revision.as_deref().unwrap_or("HEAD")]));
        // The remote's name ends the options.
        fetch.retain(|word| word != "--");
        commands.push(fetch);
        let mut checkout = words(&["-C", &aside_text, "checkout", "--quiet"]);
        match &self.revision {
            Some(revision) if is_commit(revision) => checkout.extend(words(&["--detach", "FETCH_HEAD"])),
            Some(revision) => checkout.extend(words(&["-B", revision, "FETCH_HEAD"])),
            None => checkout.extend(words(&["-B", "main", "FETCH_HEAD"])),
        }
        commands.push(checkout);
        for arguments in commands {
            let outcome = self.git(hand, &arguments).await;
            if outcome != (Outcome::Exit { code: 0 }) {
                return outcome;
            }
        }
        Outcome::Exit { code: 0 }
    }

    async fn git(&self, hand: &Hand, arguments: &[String]) -> Outcome {
        let mut git = Command::new("git");
        git.args(arguments).env_clear().envs(&self.env).current_dir("/");
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1");
        let helper = match self.credentials() {
            Ok(helper) => helper,
            Err(error) => return Outcome::Error { message: format!("credentials of the repository: {error}") },
        };
        for (name, value) in &helper.env {
            git.env(name, value);
        }
        sys::prepare(&mut git, hand.caller, Vec::new());
        if hand.caller == Caller::Container {
            sys::share_with_group(&mut git);
        }
        command::run(hand, git, "git".as_ref()).await
    }

    /// Programs that hand the credentials to git, with the credentials in their environment.
    fn credentials(&self) -> std::io::Result<Helper> {
        let mut helper = Helper::default();
        let config = helper.write("git-config", CONFIG, 0o600)?;
        helper.env.insert("GIT_CONFIG_GLOBAL".to_owned(), config);
        if self.header && !self.token.is_empty() {
            let header = format!("Authorization: Bearer {}", self.token);
            helper.env.insert("GIT_CONFIG_COUNT".to_owned(), "1".to_owned());
            helper.env.insert("GIT_CONFIG_KEY_0".to_owned(), "http.extraHeader".to_owned());
            helper.env.insert("GIT_CONFIG_VALUE_0".to_owned(), header);
        }
        let basic = !self.header;
        if basic && (!self.token.is_empty() || !self.username.is_empty()) {
            let script = "#!/bin/sh\ncase \"$1\" in Username*) printf '%s' \"$TESTUDO_GIT_USER\" ;; *) printf '%s' \"$TESTUDO_GIT_PASSWORD\" ;; esac\n";
            let path = helper.write("git-askpass", script, 0o700)?;
            // With only a token, the token is the user.
            let (user, password) =
                if self.username.is_empty() { (&self.token, "") } else { (&self.username, self.token.as_str()) };
            helper.env.insert("GIT_ASKPASS".to_owned(), path);
            helper.env.insert("TESTUDO_GIT_USER".to_owned(), user.clone());
            helper.env.insert("TESTUDO_GIT_PASSWORD".to_owned(), password.to_owned());
        }
        if !self.ssh_key.is_empty() {
            let key = format!("{}\n", self.ssh_key.trim_end());
            let path = helper.write("git-key", &key, 0o600)?;
            let command = format!(
                "ssh -i {path} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
            );
            helper.env.insert("GIT_SSH_COMMAND".to_owned(), command);
        }
        Ok(helper)
    }
}

#[derive(Default)]
struct Helper {
    env: BTreeMap<String, String>,
    files: Vec<PathBuf>,
}

impl Helper {
    fn write(&mut self, name: &str, text: &str, mode: u32) -> std::io::Result<String> {
        fs::create_dir_all("/.testudo")?;
        let path = Path::new("/.testudo").join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, "")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        fs::write(&path, text)?;
        self.files.push(path.clone());
        Ok(path.to_string_lossy().into_owned())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

/// `git@host:owner/repo` as a URL.
fn scp_like(uri: &str) -> String {
    if uri.contains("://") {
        return uri.to_owned();
    }
    match uri.split_once(':') {
        Some((host, path)) if host.contains('@') && !host.contains('/') => {
            format!("ssh://{host}/{}", path.trim_start_matches('/'))
        }
        _ => uri.to_owned(),
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Moves a clone to where it belongs; what is there already stays, unless the clone has it too.
fn put_in_place(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(from).into_iter().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if !meta.is_symlink() {
            let mode = meta.permissions().mode();
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode | ((mode & 0o600) >> 3)))?;
        }
    }
    if fs::remove_dir(to).is_ok() || !to.exists() {
        return fs::rename(from, to);
    }
    merge(from, to)?;
    fs::remove_dir_all(from)
}

fn merge(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() && target.is_dir() {
            merge(&entry.path(), &target)?;
        } else {
            if target.is_dir() {
                fs::remove_dir_all(&target)?;
            }
            fs::rename(entry.path(), &target)?;
        }
    }
    Ok(())
}
