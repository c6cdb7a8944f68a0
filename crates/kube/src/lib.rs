//! Units as pods: a Job each, placed by the cluster's own scheduler.
//!
//! [`manifest`] makes objects from a unit, [`observe`] makes sightings from objects, both without a cluster in sight;
//! [`KubeRunner`] is the only one that waits. A unit's agent is reached by its pod's address from inside the cluster and
//! through the API server's port-forward from outside, and what travels is sealed with the unit's own key.

mod cluster;
pub mod doctor;
mod events;
mod jobs;
mod keys;
pub mod left;
pub mod manifest;
mod names;
pub mod observe;
mod reach;
pub mod rights;
mod runner;
mod watch;

pub use cluster::{Cluster, KubeError, default_namespace};
pub use keys::RootKey;
pub use names::MANAGED;
pub use runner::{KubeRunner, Settings};
