//! testudo-store
