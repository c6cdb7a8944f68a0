//! testudo-agent
