//! How much an expression may ask for. Workflows come from strangers; none may take the process down.

/// Brackets within brackets, in text and in data.
pub(crate) const MAX_DEPTH: usize = 256;
/// Levels of a tree: chains such as `a + b + c` deepen it without nesting as the author sees it.
pub(crate) const MAX_HEIGHT: u16 = 512;
/// Nodes of a tree, which grows when variables answer with expressions.
pub(crate) const MAX_NODES: u32 = 4_000_000;
/// Items of a list that a function makes.
pub(crate) const MAX_ITEMS: usize = 1_000_000;
/// Values inside a value that a function puts together, however deep, and the text in them in bytes.
pub(crate) const MAX_CONTENT: usize = 4_000_000;
pub(crate) const MAX_CONTENT_TEXT: usize = 64 << 20;
/// Bytes of text that an operator or function makes.
pub(crate) const MAX_TEXT: usize = 16 << 20;
/// Passes until nothing changes; only variables that answer with each other need so many.
pub(crate) const MAX_PASSES: usize = 10_000;
/// Elements visited or made by one resolution, those of inner expressions included.
pub(crate) const MAX_WORK: usize = 20_000_000;
