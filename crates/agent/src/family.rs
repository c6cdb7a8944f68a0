//! Artifacts of executions of the same family, for expressions that read them.
//!
//! Expressions are evaluated at once, and bytes take a while: an expression that reads what is not here yet fails, what
//! it missed is asked for, and it is evaluated again when that has come.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use testudo_core::{
    expr::{ExprError, Value},
    frame::FamilySource,
    run::UnitRun,
};
use tokio::sync::mpsc;

use crate::{operations::packs::Pull, unit::Input};

/// The longest text that an expression gets.
pub(crate) const LONGEST: usize = 1 << 20;

/// One artifact: the id of its execution, and its name there.
pub(crate) type Artifact = (String, String);

/// Texts for the expression that is being evaluated, and what it missed.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    texts: RefCell<BTreeMap<Artifact, Result<String, String>>>,
    missed: RefCell<BTreeSet<Artifact>>,
    /// So many have been asked for and have not come.
    under_way: Cell<usize>,
}

impl Shelf {
    /// Answers `read_artifact`.
    pub(crate) fn read(&self, run: &UnitRun, args: &[Value]) -> Result<Value, ExprError> {
        let [named, Value::Str(path)] = args else {
            return Err(ExprError::new("read_artifact() takes two texts: an execution and the name of an artifact"));
        };
        let artifact = (run.relative_id(&named.string_form())?, path.to_string());
        if let Some(text) = self.texts.borrow().get(&artifact) {
            return text.clone().map(Value::from).map_err(ExprError::new);
        }
        self.missed.borrow_mut().insert(artifact);
        Err(ExprError::new("an artifact is on its way"))
    }

    /// Asks for what was missed; whether there is something to wait for.
    pub(crate) fn fetch(&self, inbox: &mpsc::UnboundedSender<Input>) -> bool {
        for artifact in std::mem::take(&mut *self.missed.borrow_mut()) {
            self.under_way.set(self.under_way.get() + 1);
            tokio::task::spawn_local(read(artifact, inbox.clone()));
        }
        self.is_waiting()
    }

    /// Whether something that was asked for has not come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.under_way.get() > 0
    }

    /// What was asked for has come.
    pub(crate) fn put(&self, artifact: Artifact, text: Result<String, String>) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.texts.borrow_mut().insert(artifact, text);
    }

    /// The expression has been evaluated: the next one asks anew, for artifacts of what still runs may change.
    pub(crate) fn clear(&self) {
        self.texts.borrow_mut().clear();
    }
}

async fn read(artifact: Artifact, inbox: mpsc::UnboundedSender<Input>) {
    // Bounded by what is asked for at a time.
    let (bytes, mut arrives) = mpsc::unbounded_channel();
    let (of, path) = artifact.clone();
    let _ = inbox.send(Input::Pull(Pull::family(of, FamilySource::Artifact(path), bytes)));
    let mut text = Ok(Vec::new());
    while let Some(piece) = arrives.recv().await {
        match (&mut text, piece) {
            (Ok(text), Ok(piece)) if text.len() + piece.len() <= LONGEST => text.extend(piece),
            (Ok(_), Ok(_)) => text = Err(format!("artifact {} is longer than 1 MiB", artifact.1)),
            (Ok(_), Err(error)) => text = Err(error),
            (Err(_), _) => {}
        }
    }
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let _ = inbox.send(Input::Artifact(artifact, text));
}
