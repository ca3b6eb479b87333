//! The course ids that stood in some event, remembered for good: a folder never comes to mean another course.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::catalog::courses::MetCourse;
use crate::edx::course_run::{CourseId, Site};
use crate::edx::tracking_log::Evidence;
use crate::engine::ledger::Ledger;
use crate::error::Result;

pub struct Met {
    ledger: Arc<Ledger>,
    courses: Mutex<Courses>,
}

#[derive(Default)]
struct Courses {
    /// In the order in which they were first recorded.
    records: Vec<Record>,
    /// Where each is, by site and id: anybody can make up ids in URLs, and a day may bring thousands.
    places: HashMap<(String, String), usize>,
}

impl Courses {
    fn put(&mut self, record: Record) {
        match self.places.entry((record.site.clone(), record.id.clone())) {
            Entry::Occupied(place) => self.records[*place.get()] = record,
            Entry::Vacant(place) => {
                place.insert(self.records.len());
                self.records.push(record);
            }
        }
    }
}

/// A course id as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    site: String,
    id: String,
    /// Rank among the ids that were stated, by when they first were.
    stated: Option<u64>,
}

/// Whether something was recorded that was not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Some,
    None,
}

impl Met {
    /// Takes up what the ledger remembers.
    pub fn recall(ledger: Arc<Ledger>) -> Result<Self> {
        let mut courses = Courses::default();
        ledger.all("course")?.into_iter().for_each(|record| courses.put(record));
        Ok(Met { ledger, courses: Mutex::new(courses) })
    }

    /// In the order in which they were first recorded.
    pub fn courses(&self) -> Vec<MetCourse> {
        let course = |record: &Record| {
            let id = CourseId::parse(&record.id)?;
            Some(MetCourse { site: Site::from_token(&record.site), id, stated: record.stated })
        };
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).records.iter().filter_map(course).collect()
    }

    /// Records what a day's pass has met. Errors: the ledger's; then the day counts as not decoded.
    pub fn meet(&self, site: &Site, courses: &[(CourseId, Evidence)]) -> Result<News> {
        // Held across the ledger's writes, so that ranks are given once; only runs that end wait for it.
        let mut all = self.courses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = all.records.iter().filter_map(|record| record.stated).max().map_or(0, |last| last + 1);
        let mut news = News::None;
        for (id, evidence) in courses {
            let key = (site.as_str().to_owned(), id.as_str().to_owned());
            let known = all.places.get(&key).map(|at| &all.records[*at]);
            let newly_stated = *evidence == Evidence::Stated && known.is_none_or(|record| record.stated.is_none());
            if known.is_some() && !newly_stated {
                continue;
            }
            let stated = newly_stated.then_some(next);
            next += u64::from(newly_stated);
            let record = Record { site: key.0, id: key.1, stated };
            self.ledger.put("course", format!("{}\0{}", record.site, record.id).as_bytes(), &record)?;
            all.put(record);
            news = News::Some;
        }
        Ok(news)
    }
}
