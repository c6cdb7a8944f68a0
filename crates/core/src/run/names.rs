//! Names that follow from the plan and the log, so that a process which has forgotten everything finds them again.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An execution's id: what its folder is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecutionId(pub String);

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unit within its execution: where in the tree it hangs, and which attempt of it this is.
///
/// `main` is the execution's own unit, `tests/3` the fourth worker of the step `tests`, `services/db/0` a service
/// instance, `tests/3/inner/0` a worker of a worker. An attempt after the first is written `tests/3~1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    pub place: String,
    pub attempt: u32,
}

impl UnitKey {
    /// The execution's own unit.
    pub fn main() -> Self {
        UnitKey { place: "main".to_owned(), attempt: 0 }
    }

    /// The unit `rest` of a step of this unit.
    #[must_use]
    pub fn child(&self, rest: &str) -> Self {
        let place = if self.place == "main" { rest.to_owned() } else { format!("{}/{rest}", self.place) };
        UnitKey { place, attempt: 0 }
    }

    /// A name that a file system takes.
    pub fn folder(&self) -> String {
        self.to_string().replace('/', "+")
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if self.attempt > 0 { write!(f, "~{}", self.attempt) } else { Ok(()) }
    }
}

impl FromStr for UnitKey {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('~') {
            Some((place, attempt)) => Ok(UnitKey { place: place.to_owned(), attempt: attempt.parse()? }),
            None => Ok(UnitKey { place: text.to_owned(), attempt: 0 }),
        }
    }
}

impl Serialize for UnitKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnitKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
