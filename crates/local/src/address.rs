//! A loopback address for each unit, so that services do not get in each other's way.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::Ipv4Addr,
};

use testudo_core::run::UnitKey;

/// The address follows from the unit's name: the same after any crash.
pub(crate) fn of(execution: &str, key: &UnitKey) -> Ipv4Addr {
    let mut hasher = DefaultHasher::new();
    (execution, &key.place, key.attempt).hash(&mut hasher);
    let hash = hasher.finish();
    // 127.0.x.y is left to the machine's own use, and so are the ends of each range.
    let byte = |shift: u32, from: u64, span: u64| u8::try_from(from + (hash >> shift) % span).unwrap_or(1);
    Ipv4Addr::new(127, byte(0, 16, 200), byte(16, 0, 255), byte(32, 1, 253))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_loopback_one_and_stays_the_same() {
        let key = UnitKey::main().child("db/0");
        assert_eq!(of("e1", &key), of("e1", &key));
        assert!(of("e1", &key).is_loopback());
        assert_ne!(of("e1", &key), of("e2", &key));
    }
}
