//! What can go wrong around a run on a cluster, at random moments: it ends as if nothing had happened, or says why not,
//! and leaves nothing behind.

use std::{
    fs, io,
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{Chance, Ended, Place, fixture},
    recovery::LEDGER,
};

/// The workflow that is disturbed; its ledger is what its commands print.
fn args(place: &Place) -> Vec<String> {
    let file = fixture("many-steps").to_str().unwrap().to_owned();
    let namespace = place.cluster().name().to_owned();
    let rest = ["-c", "ledger=/dev/stdout", "--runner", "kube", "--namespace"].map(str::to_owned);
    ["run".to_owned(), file].into_iter().chain(rest).chain([namespace]).collect()
}

fn start(place: &Place, args: &[String], kubeconfig: Option<&str>) -> Child {
    let mut command = Command::new(crate::harness::binary());
    command.args(args).current_dir(place.path()).env("TESTUDO_STATE", place.path().join("state"));
    command.env_remove("CI").env("NO_COLOR", "1").stdin(std::process::Stdio::null());
    command.envs(kubeconfig.map(|path| ("KUBECONFIG", path)));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

/// Everything that the commands of all units printed into the ledger, in order of the alphabet.
fn ledger(place: &Place) -> Vec<String> {
    let mut text = place.logs(&["many-steps-1"]) + &place.end(&["logs", "many-steps-child-1"]).stdout;
    for worker in 0..4 {
        text += &place.end(&["logs", "many-steps-1", "--worker", &format!("with_service-parallel/{worker}")]).stdout;
    }
    let mut lines: Vec<String> = text.lines().filter(|line| LEDGER.contains(line)).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Nothing has happened, as far as anybody can tell afterwards.
#[track_caller]
fn is_undisturbed(place: &Place, seed: u64, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "seed {seed}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ledger(place), LEDGER, "seed {seed}: a command ran twice, or not at all");
    let names = place.artifacts("many-steps-1");
    for worker in 1..=4 {
        let name = format!("with_service-parallel/{worker}/data/out/index.txt");
        assert!(names.contains(&name), "seed {seed}: {name} is not among {names:?}");
    }
    place.cluster().is_soon_empty();
}

/// How long a run takes that nothing disturbs; a fault comes within that.
const UNDISTURBED: u64 = 9_000;

fn pause(chance: &mut Chance, below: u64) {
    let moment = Duration::from_millis(300 + chance.below(below));
    println!("{moment:?} later");
    thread::sleep(moment);
}

#[test]
#[ignore = "needs a cluster"]
fn a_killed_testudo_is_recovered() {
    let (seed, mut chance) = Chance::seeded();
    let place = Place::on_cluster();
    let mut child = start(&place, &args(&place), None);
    for _ in 0..2 {
        pause(&mut chance, UNDISTURBED / 2);
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = !place.ok(&["ls"]).stdout.is_empty();
        let again = if begun { vec!["recover".to_owned(), "many-steps-1".to_owned()] } else { args(&place) };
        child = start(&place, &again, None);
    }
    let ended: Ended = child.wait_with_output().unwrap().into();
    is_undisturbed(&place, seed, &ended);
}

#[test]
#[ignore = "needs a cluster"]
fn a_deleted_pod_is_the_reason_that_is_given() {
    let (seed, mut chance) = Chance::seeded();
    for grace in ["0", "5"] {
        let place = Place::on_cluster();
        let child = start(&place, &args(&place), None);
        // Before that there is none.
        thread::sleep(Duration::from_secs(1));
        pause(&mut chance, UNDISTURBED - 2000);
        let pods = place.cluster().list("pods");
        let names: Vec<&str> = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        let deleted = (!names.is_empty()).then(|| names[usize::try_from(chance.below(names.len() as u64)).unwrap()]);
        if let Some(name) = deleted {
            println!("{name} of {names:?}");
            let grace = format!("--grace-period={grace}");
            place.cluster().kubectl(&["delete", "pod", name, &grace, "--wait=false", "--ignore-not-found"]);
        }
        let ended: Ended = child.wait_with_output().unwrap().into();
        if ended.code == Some(0) {
            // It had done all that was wanted of it.
            is_undisturbed(&place, seed, &ended);
        } else {
            let name = deleted.unwrap_or_else(|| panic!("seed {seed}: {}{}", ended.stdout, ended.stderr));
            // What the cluster says of it, or its agent, which had the time to end in order; on the log if nowhere else.
            let log = fs::read_to_string(place.execution("many-steps-1").join("log")).unwrap();
            let said = ["was deleted", "told to go by its place"].iter().any(|reason| log.contains(reason));
            assert!(said, "seed {seed}: {name}: {log}{}{}", ended.stdout, ended.stderr);
            place.cluster().is_soon_empty();
        }
    }
}

#[test]
#[ignore = "needs a cluster"]
fn cut_connections_are_made_again() {
    let (seed, mut chance) = Chance::seeded();
    let place = Place::on_cluster();
    let wire = Wire::lay(&place);
    let child = start(&place, &args(&place), Some(&wire.kubeconfig));
    for _ in 0..2 {
        pause(&mut chance, UNDISTURBED / 2);
        println!("{} connections are cut", wire.cut(Duration::from_millis(chance.below(1500))));
    }
    let ended: Ended = child.wait_with_output().unwrap().into();
    is_undisturbed(&place, seed, &ended);
}

#[test]
#[ignore = "needs a cluster, and is alone on it: scripts/test runs it after all others"]
fn alone_an_api_server_that_starts_again_is_not_noticed() {
    let script = fixture("x").with_file_name("../cluster/cluster");
    let own = Command::new(&script).arg("kubeconfig").output().unwrap().stdout;
    if String::from_utf8_lossy(&own).trim() != std::env::var("KUBECONFIG").unwrap_or_default() {
        println!("skipped: this cluster is not that of tests/cluster, whose API server can be started again");
        return;
    }
    let (seed, mut chance) = Chance::seeded();
    let place = Place::on_cluster();
    let child = start(&place, &args(&place), None);
    for _ in 0..2 {
        pause(&mut chance, UNDISTURBED / 2);
        assert!(Command::new(&script).args(["restart", "apiserver"]).status().unwrap().success());
    }
    let ended: Ended = child.wait_with_output().unwrap().into();
    is_undisturbed(&place, seed, &ended);
}

/// A way to the API server that can be cut.
struct Wire {
    kubeconfig: String,
    ends: Arc<Mutex<Vec<TcpStream>>>,
    closed: Arc<AtomicBool>,
}

impl Wire {
    fn lay(place: &Place) -> Self {
        let view = Command::new("kubectl").args(["config", "view", "--raw", "--minify", "--output", "json"]).output();
        let mut config: Value = serde_json::from_slice(&view.unwrap().stdout).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        let server =
            cluster["server"].as_str().unwrap().trim_start_matches("https://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        cluster["server"] = json!(format!("https://{}", listener.local_addr().unwrap()));
        cluster["tls-server-name"] = json!(server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host));
        let path = place.path().join("kubeconfig");
        fs::write(&path, config.to_string()).unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let (kept, is_closed) = (ends.clone(), closed.clone());
        // It ends with the test's process.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_closed.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&server) else { continue };
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Wire { kubeconfig: path.to_str().unwrap().to_owned(), ends, closed }
    }

    /// Cuts all that goes over it, and lets nobody through for a while; how many there were.
    fn cut(&self, dead: Duration) -> usize {
        self.closed.store(true, Ordering::Relaxed);
        let ends: Vec<TcpStream> = self.ends.lock().unwrap().drain(..).collect();
        for end in &ends {
            let _ = end.shutdown(Shutdown::Both);
        }
        thread::sleep(dead);
        self.closed.store(false, Ordering::Relaxed);
        ends.len() / 2
    }
}
