pub struct Read { pub cases: Vec<crate::run::Case>, pub lost: Vec<String> }
pub fn read(_: &[u8]) -> Read { Read { cases: Vec::new(), lost: Vec::new() } }
