use crate::run::{Execution, UnitKey};
pub fn label_of(_: &Execution, key: &UnitKey) -> String { key.to_string() }
