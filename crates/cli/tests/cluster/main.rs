//! The real binary on a real cluster, the one that KUBECONFIG leads to: `scripts/test cluster`. Needs `kubectl`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod document;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "these tests need less of it than those without a cluster")]
mod harness;
mod left;
mod reasons;
mod rights;
mod room;
