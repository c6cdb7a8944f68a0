//! `matrix`, `shards` and counts into instances.
//!
//! [`expand`] is asked once, when the operation starts, with everything known at that moment; it decides how many
//! instances there are and what data each has. [`instantiate`] then makes the text of one of them. How durations
//! shape shards is left to whoever cuts lists before they come here.

mod counts;
mod expand;
mod instance;
mod lists;
#[cfg(test)]
mod tests;

pub use expand::{DEFAULT_LIMIT, ExpandError, Expansion, expand};
pub use instance::{Instance, instance_scope, instantiate};
pub use lists::shard;
