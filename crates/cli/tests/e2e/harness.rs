//! The real binary in a folder of its own, and in a namespace of its own where a cluster carries out what it runs:
//! nothing of the user's state is read or left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use self::cluster::Namespace;

// Beside this file, whichever test has it.
#[path = "cluster.rs"]
pub(crate) mod cluster;

/// A place for runs.
pub(crate) struct Place {
    root: tempfile::TempDir,
    namespace: Option<Namespace>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    /// Not under `/tmp`, which units have of their own.
    pub(crate) fn new() -> Self {
        let scratch = match std::env::var_os("TESTUDO_SCRATCH") {
            Some(path) => PathBuf::from(path),
            None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch"),
        };
        fs::create_dir_all(&scratch).unwrap();
        Place { root: tempfile::tempdir_in(scratch).unwrap(), namespace: None }
    }

    /// One whose runs are carried out by a cluster.
    pub(crate) fn on_cluster() -> Self {
        Place { namespace: Some(Namespace::new()), ..Place::new() }
    }

    /// What runs of this place have of a cluster for themselves.
    pub(crate) fn cluster(&self) -> &Namespace {
        self.namespace.as_ref().expect("this place is a cluster's")
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The binary with this place's state.
    pub(crate) fn testudo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.path()).env("TESTUDO_STATE", self.path().join("state"));
        if let (Some(namespace), Some(&"run")) = (&self.namespace, args.first()) {
            command.args(["--runner", "kube", "--namespace", namespace.name()]);
        }
        command.env_remove("CI").env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub(crate) fn ok(&self, args: &[&str]) -> Ended {
        let ended = self.end(args);
        assert_eq!(ended.code, Some(0), "testudo {args:?}\n{}\n{}", ended.stdout, ended.stderr);
        ended
    }

    pub(crate) fn end(&self, args: &[&str]) -> Ended {
        self.testudo(args).output().unwrap().into()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.testudo(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs one of the fixture workflows.
    pub(crate) fn run(&self, workflow: &str, args: &[&str]) -> Ended {
        let file = fixture(workflow);
        let all: Vec<&str> = ["run", file.to_str().unwrap()].into_iter().chain(args.iter().copied()).collect();
        self.end(&all)
    }

    /// What the commands of the newest run wrote.
    pub(crate) fn logs(&self, args: &[&str]) -> String {
        self.ok(&["logs"].iter().chain(args).copied().collect::<Vec<_>>()).stdout
    }

    /// The folder of an execution.
    pub(crate) fn execution(&self, name: &str) -> PathBuf {
        let folders = fs::read_dir(self.path().join("state/executions")).unwrap().flatten();
        let named = |path: &PathBuf| {
            let meta = fs::read(path.join("meta")).unwrap_or_default();
            serde_json::from_slice::<serde_json::Value>(&meta).is_ok_and(|meta| meta["name"] == name)
        };
        folders.map(|folder| folder.path()).find(named).unwrap_or_else(|| panic!("there is no execution {name}"))
    }

    /// Names of the artifacts of a run.
    pub(crate) fn artifacts(&self, name: &str) -> Vec<String> {
        let root = self.path().join("artifacts").join(name);
        files(&root).iter().map(|path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned()).collect()
    }

    /// A repository with two commits, and the first of them.
    pub(crate) fn repository(&self) -> (String, String) {
        let path = self.path().join("repository");
        for (name, text) in [("one", "one"), ("two", "two"), ("three", "three"), ("four", "four")] {
            self.write(&format!("repository/wanted/{name}.txt"), &format!("{text}\n"));
        }
        self.write("repository/unwanted/other.txt", "other\n");
        let git = |args: &[&str]| -> Output {
            let identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
            let output = Command::new("git").arg("-C").arg(&path).args(identity).args(args).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            output
        };
        git(&["init", "--quiet"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "first"]);
        let commit = String::from_utf8(git(&["rev-parse", "HEAD"]).stdout).unwrap().trim().to_owned();
        self.write("repository/wanted/one.txt", "changed\n");
        git(&["commit", "--quiet", "--all", "--message", "second"]);
        let uri = match &self.namespace {
            Some(namespace) => namespace.serves_git(&path),
            None => format!("file://{}", path.display()),
        };
        (uri, commit)
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The binary under test: `TESTUDO_BIN` when these tests run for another user, else the one built with them.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("TESTUDO_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_testudo")), PathBuf::from)
}

/// A workflow of `tests/workflows`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let root = std::env::var_os("TESTUDO_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/workflows"), PathBuf::from);
    root.join(format!("{name}.yaml"))
}

/// All files below a folder, in order.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Waits for a fact; the limit only keeps a broken test from hanging.
pub(crate) fn until(what: &str, fact: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_mins(1);
    while !fact() {
        assert!(Instant::now() < limit, "it never came to be that {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Numbers from a seed, so that a failure can be had again.
pub(crate) struct Chance(u64);

impl Chance {
    /// That of `TESTUDO_SEED`, else one of this moment; it is printed.
    pub(crate) fn seeded() -> (u64, Self) {
        let seed: u64 = std::env::var("TESTUDO_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into());
        println!("seed {seed}: run again with TESTUDO_SEED={seed}");
        (seed, Chance(seed + 1))
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
