//! What docs/kubernetes.md shows works as it stands there.

use std::{fs, path::Path};

use crate::{
    harness::{Ended, until},
    room::Room,
};

/// The fenced YAML of the document.
fn examples() -> Vec<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kubernetes.md");
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// A volume for claims of this class, which no cluster here makes by itself.
fn volume(class: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: {class}}}\nspec: {{capacity: {{storage: 10Mi}}, \
         accessModes: [ReadWriteOnce], storageClassName: {class}, hostPath: {{path: /var/tmp/{class}, type: DirectoryOrCreate}}}}\n"
    )
}

#[test]
#[ignore = "needs a cluster"]
fn each_example_of_the_document_works() {
    let room = Room::new();
    let class = format!("{}-volume", room.namespace());
    room.apply(&volume(&class));
    let examples = examples();
    let mut failures = Vec::new();
    for (number, example) in examples.iter().enumerate() {
        if !example.contains("kind: TestWorkflow") {
            room.feed(&["apply", "--dry-run=server", "-f", "-"], example);
            continue;
        }
        let text = example.replace("storageClassName: standard", &format!("storageClassName: {class}"));
        let file = room.place.write(&format!("example-{number}.yaml"), &text);
        let ended = room.place.end(&["run", file.to_str().unwrap(), "--runner", "kube", "-N", room.namespace()]);
        if ended.code != Some(0) {
            failures.push(format!("{example}\n{}{}", ended.stdout, ended.stderr));
        }
    }
    room.kubectl(&["delete", "persistentvolume", &class, "--wait=false"]);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(examples.len() >= 6, "the document has lost its examples");
}

#[test]
#[ignore = "needs a cluster"]
fn a_queue_admits_jobs() {
    let room = Room::new();
    let file = room.workflow("steps: [{shell: 'true'}]");
    let run = ["run", &file, "--runner", "kube", "-N", room.namespace(), "--queue", "tests"];
    let child = room.place.start(&run);
    let jobs = || room.kubectl(&["get", "jobs", "-l", "kueue.x-k8s.io/queue-name=tests", "-o", "name"]);
    until("there is a Job", || !jobs().is_empty());
    let waiting = || room.place.end(&["kube", "ls", "-N", room.namespace()]).stdout;
    assert!(waiting().contains("suspended until a queue admits it"), "{}", waiting());
    room.kubectl(&["patch", jobs().trim(), "--type=merge", "--patch", r#"{"spec":{"suspend":false}}"#]);
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
