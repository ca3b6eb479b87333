//! One immutable refresh: objects, members, course runs (those met in logs are handed in); no content, no sizes.
