//! The entries of a map while it is being read.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Key, Map, Node, Span};

/// A map being read. Small ones are searched, larger ones indexed: a file may hold one map of a million keys.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) map: Map,
    from_merge: Vec<bool>,
    index: HashMap<Arc<str>, usize>,
    pub(super) merge_key: Option<Span>,
}

impl Entries {
    fn position(&mut self, key: &str) -> Option<usize> {
        if self.map.len() < 16 {
            return self.map.iter().position(|(k, _)| &*k.text == key);
        }
        for at in self.index.len()..self.map.len() {
            self.index.insert(self.map[at].0.text.clone(), at);
        }
        self.index.get(key).copied()
    }

    fn push(&mut self, key: Key, node: Node, merged: bool) {
        self.map.push((key, node));
        self.from_merge.push(merged);
    }

    /// Takes a written entry; the span of the first one if there is one already.
    pub(super) fn own(&mut self, key: Key, node: Node) -> Option<Span> {
        match self.position(&key.text) {
            Some(at) if self.from_merge[at] => {
                self.from_merge[at] = false;
                self.map[at] = (key, node);
                None
            }
            Some(at) => Some(self.map[at].0.span),
            None => {
                self.push(key, node, false);
                None
            }
        }
    }

    /// Takes an entry of a merged map; the place of the own entry that keeps it out, if one does.
    pub(super) fn merged(&mut self, key: Key, node: Node) -> Option<usize> {
        if let Some(at) = self.position(&key.text) {
            return (!self.from_merge[at]).then_some(at);
        }
        self.push(key, node, true);
        None
    }
}
