//! Keys of units, which follow from the execution's own: whoever recovers it needs nothing else.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use testudo_agent::sealed::Key;

/// What the keys of all units of a run follow from.
#[derive(Clone)]
pub struct RootKey([u8; 32]);

impl RootKey {
    /// The key of a run: 32 random bytes that nobody else has.
    pub fn new(bytes: [u8; 32]) -> Self {
        RootKey(bytes)
    }

    /// The key of one unit, which says nothing about that of another.
    pub(crate) fn of(&self, execution: &str, unit: &str) -> Key {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(b"testudo unit\0");
        mac.update(execution.as_bytes());
        mac.update(b"\0");
        mac.update(unit.as_bytes());
        Key(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_of_each_run_has_a_key_of_its_own_and_keeps_it() {
        let root = RootKey::new([7; 32]);
        assert_eq!(root.of("e1", "tests/0"), root.of("e1", "tests/0"));
        assert_ne!(root.of("e1", "tests/0"), root.of("e1", "tests/1"));
        assert_ne!(root.of("e1", "tests/0"), root.of("e2", "tests/0"));
        assert_ne!(root.of("e1", "tests/0"), RootKey::new([8; 32]).of("e1", "tests/0"));
    }
}
