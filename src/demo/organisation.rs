//! The organisation: its courses and learners, the same in events, tables and forum.

use crate::demo::course::Course;
use crate::demo::learner::Learner;
use crate::demo::plan::{Plan, Site};
use crate::demo::random::Random;

/// Everything that the files of one data package agree about.
#[derive(Clone, Debug)]
pub struct Organisation {
    pub name: String,
    /// As keys spell it.
    pub lower: String,
    /// The largest first.
    pub courses: Vec<Course>,
    pub learners: Vec<Learner>,
}

impl Organisation {
    pub fn new(plan: &Plan) -> Self {
        let learners = (plan.events_per_day as usize / 20).clamp(60, 20_000);
        Organisation {
            name: plan.org.clone(),
            lower: plan.lower_org(),
            courses: (0..plan.courses.max(1) as usize).map(|rank| Course::new(plan, rank, learners)).collect(),
            learners: (0..learners).map(|index| Learner::new(plan.seed, index)).collect(),
        }
    }

    /// The courses of one site.
    pub fn courses_on(&self, site: Site) -> impl Iterator<Item = &Course> {
        self.courses.iter().filter(move |course| course.is_on(site))
    }

    /// A course of the site, large ones more often.
    pub fn draw_course(&self, site: Site, random: &mut Random) -> &Course {
        let mut left = random.below(self.courses_on(site).map(|course| course.weight).sum());
        for course in self.courses_on(site) {
            if left < course.weight {
                return course;
            }
            left -= course.weight;
        }
        &self.courses[0]
    }
}
