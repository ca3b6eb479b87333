//! kernel request → volume → reply; the only fuser import, no decisions.
