//! What an author may write: the one table of fields, and the documents read and checked by it.

pub mod table;
