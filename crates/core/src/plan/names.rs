//! Names that a cluster takes.

/// Longest name of what is made for a unit: pods of a Job get a number and five letters more, and have to fit a
/// host's name of 63.
pub const LONGEST_NAME: usize = 52;

/// Length of a digest in a name.
const DIGEST: usize = 10;

/// A name of lower-case letters, digits and `-`, with a digest of the whole at its end where something had to go or
/// to change.
pub fn shortened(name: &str, longest: usize) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let plain: String =
        name.chars().map(|c| c.to_ascii_lowercase()).map(|c| if allowed(c) { c } else { '-' }).collect();
    let trimmed = plain.trim_matches('-');
    if trimmed == name && name.len() <= longest && !name.is_empty() {
        return name.to_owned();
    }
    let digest = &format!("{:016x}", digest(name.as_bytes()))[..DIGEST.min(longest)];
    let room = longest.saturating_sub(DIGEST + 1);
    let kept = trimmed[..trimmed.len().min(room)].trim_end_matches('-');
    if kept.is_empty() { digest.to_owned() } else { format!("{kept}-{digest}") }
}

/// The name of the claim that is made for a run under a key of `pvcs`. The owner is the execution's id, with the
/// place of the unit where a worker or service has claims of its own.
pub fn claim_name(owner: &str, key: &str) -> String {
    shortened(&format!("{owner}-{key}"), LONGEST_NAME)
}

/// The variable that holds what the n-th source of a unit says about one of its containers.
pub fn source_name(container: usize, source: usize) -> String {
    format!("TESTUDO_SOURCE_{container}_{source}")
}

/// Tells bytes apart, the same in every version: FNV-1a, stirred so that each bit of it depends on all of them.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(shortened("main", 52), "main");
        let long = "a".repeat(80);
        assert_eq!(shortened(&long, 52).len(), 52);
        assert_ne!(shortened("tests/0", 52), shortened("tests+0", 52));
        assert_ne!(shortened(&format!("{long}1"), 52), shortened(&format!("{long}2"), 52));
        for odd in ["", "-", "ü", "Größe", "a-", "-a", "A"] {
            let name = shortened(odd, 52);
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{odd}: {name}");
            assert!(!name.is_empty() && !name.starts_with('-') && !name.ends_with('-'), "{odd}: {name}");
        }
    }

    #[test]
    fn a_claim_is_called_the_same_in_every_version() {
        assert_eq!(claim_name("6a1f", "data"), "6a1f-data");
        insta::assert_snapshot!(claim_name("6a1f", "someName"), @"6a1f-somename-c30598e341");
    }
}
