//! testudo-engine
