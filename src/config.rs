//! What a user may set, checked once; nothing reads the environment later.
