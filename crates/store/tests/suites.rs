//! A folder's log does what all logs do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs::OpenOptions, io::Write, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use tempfile::TempDir;
use testudo_core::plan::Identity;
use testudo_engine::{Journal, sim::Workflows, suites::Shelf};
use testudo_store::{Folder, Meta};

testudo_engine::journal_suite!(folder, Place::new(), in_bytes);

struct Place {
    _root: TempDir,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        let yaml = "{kind: TestWorkflow, metadata: {name: w}, spec: {steps: [{shell: echo}]}}";
        let identity = Identity { id: "e".to_owned(), ..Identity::default() };
        let plan = Workflows::read(yaml).unwrap().plan("w", identity, &[].into()).unwrap();
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("e");
        let meta = Meta {
            id: "e".to_owned(),
            name: "w-1".to_owned(),
            workflow: "w".to_owned(),
            number: 1,
            created: Timestamp::UNIX_EPOCH,
            artifacts: root.path().join("artifacts"),
            command: "testudo run".to_owned(),
            parent: None,
        };
        Folder::create(&folder, &meta, &plan).unwrap();
        Place { _root: root, folder }
    }
}

impl Shelf for Place {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(Folder::open(&self.folder).unwrap())
    }

    fn scrawl(&self, bytes: &[u8]) {
        let mut log = OpenOptions::new().append(true).open(self.folder.join("log")).unwrap();
        log.write_all(bytes).unwrap();
    }
}
