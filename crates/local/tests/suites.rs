//! Processes do what all units do. Their agent is the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testudo_engine::{Runner, UnitSpec, suites::Premises};
use testudo_local::LocalRunner;

testudo_engine::runner_suite!(processes, Processes, Processes::new());

struct Processes {
    runner: LocalRunner,
    root: TempDir,
}

impl Processes {
    fn new() -> Self {
        // Not below /tmp: a unit has a /tmp of its own.
        let root = tempfile::tempdir_in("/var/tmp").unwrap();
        let runner = LocalRunner::new(root.path().to_owned(), Duration::from_mins(10)).with_program(binary());
        Processes { runner, root }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // A test that failed half-way leaves nothing running.
        let units = fs::read_dir(self.root.path().join("suite/units")).into_iter().flatten().flatten();
        for unit in units {
            kill(&unit.path());
        }
    }
}

fn kill(unit: &Path) {
    let pid = fs::read_to_string(unit.join("pid")).ok().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Premises for Processes {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn kill(&self, unit: &UnitSpec) {
        kill(&self.root.path().join(&unit.execution).join("units").join(unit.key.folder()));
    }

    fn runs(&self, _: &UnitSpec, mark: &str) -> bool {
        let commands =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let own = format!("sleep\0{mark}\0");
        commands.into_iter().any(|command| command == own.as_bytes())
    }

    fn carry<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test)
    }
}

/// The binary as these sources make it, or the one that `TESTUDO_BIN` names.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        if let Some(named) = std::env::var_os("TESTUDO_BIN") {
            return PathBuf::from(named);
        }
        // target/<profile>/deps/<this test>
        let own = std::env::current_exe().unwrap();
        let profile = own.parent().and_then(|deps| deps.parent()).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "testudo", "--target-dir"]).arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).status().unwrap();
        assert!(built.success(), "the binary that is tested could not be built");
        profile.join("testudo")
    };
    BINARY.get_or_init(build).clone()
}
