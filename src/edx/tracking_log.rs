//! One event line → its course run, if any; keeps no state.

/// How an event's course is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum CourseRule {
    /// The higher-recall reading (a) to (e) of the data package's documentation.
    #[default]
    Recall,
    /// Exactly what the package's producer does.
    Producer,
}

/// What speaks for a line's course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Evidence {
    /// Only a URL or a block id names it: makes no folder by itself.
    Mentioned,
    /// `context.course_id` or `event.course_id` names it.
    Stated,
}
