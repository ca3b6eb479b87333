//! What a view is shown for.

use std::sync::Arc;

use crate::catalog::Snapshot;
use crate::catalog::courses::Course;
use crate::edx::window::Window;

/// The scope of everything outside a course folder.
pub(super) struct Organisation;

/// One course, whole or cut to a window.
pub(super) struct CourseScope {
    pub course: Arc<Course>,
    /// None: the course's own folder.
    pub window: Option<Window>,
}

impl CourseScope {
    pub(super) fn days(&self) -> Window {
        self.window.unwrap_or(Window::ALL)
    }

    /// The snapshot whose files this folder shows.
    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.course.snapshot_for(self.days().to)
    }
}
