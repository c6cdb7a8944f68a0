//! testudo-agent

pub mod jq;
