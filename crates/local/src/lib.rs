//! testudo-local
