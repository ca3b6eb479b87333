//! One learner's lines of a course, found through the days' indexes; and who has any.
