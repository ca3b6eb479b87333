//! Digest → blob within a byte limit; has never heard of a recipe.

pub mod blob;
pub mod lru;
pub mod seal;
