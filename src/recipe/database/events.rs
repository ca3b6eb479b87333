//! The tables of a samced.db that come from events: merged tally records in, rows out, one user's row at a time.
//!
//! ```text
//! met (once per course)     which columns and problem tables there are; nothing is written
//! create                    all of them, in the order of `table_names`, then an index on user_id for each that has one
//! write (once per course)   rows, in the order of the records
//! counts                    what came to be
//! ```
//!
//! Every table exists, be it with key columns alone; only `problem_<id>` depends on what was met. An organisation's
//! tables begin with the column `course`; it has neither `video_activity_ng2` nor `problem_<id>`, and its
//! `problem_index` names the tables of the course's own database.

mod columns;
mod fill;
mod problems;
mod rows;
mod schema;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::recipe::database::bulk::Bulk;
use crate::recipe::tallies::record::{Record, Records};
use crate::sqlite::failed;

use columns::Met;
use fill::Fill;
use schema::{Schema, Table};

/// Whose tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Course,
    Organisation,
}

/// What `about` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCounts {
    pub events: u64,
    /// Columns that were met and left out, as a table can have so many only.
    pub cut_columns: u64,
}

/// Holds names of columns and problems, and no rows.
pub struct EventTables {
    kind: Kind,
    met: Met,
    /// None until the tables are created.
    schema: Option<Schema>,
    events: u64,
}

impl EventTables {
    pub fn new(kind: Kind) -> Self {
        EventTables { kind, met: Met::default(), schema: None, events: 0 }
    }

    /// Notes the names that a course's records begin with; the rest is not read.
    pub fn met(&mut self, records: &mut dyn Records) -> Result<()> {
        while let Some(record) = records.next()? {
            match record {
                Record::Events { .. } => {}
                // The organisation has no table of its own for a problem, and many courses.
                Record::MetProblem { .. } if self.kind == Kind::Organisation => {}
                record => {
                    if !self.met.note(&record) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Creates the tables; `taken`: names of all others, in lower case.
    pub fn create(&mut self, connection: &Connection, taken: &BTreeSet<String>) -> Result<()> {
        let schema = Schema::new(self.kind, std::mem::take(&mut self.met), taken);
        for table in schema.tables() {
            connection.execute_batch(&table.create_sql()).map_err(failed)?;
        }
        for sql in schema.tables().filter_map(Table::index_sql) {
            connection.execute_batch(&sql).map_err(failed)?;
        }
        self.schema = Some(schema);
        Ok(())
    }

    /// Adds a course's rows. `titles`: display names of problems as the structure has them.
    pub fn write(
        &mut self,
        bulk: &mut Bulk<'_>,
        course: &str,
        titles: &HashMap<String, String>,
        records: &mut dyn Records,
    ) -> Result<()> {
        let mut fill = Fill::new(created(&self.schema)?, bulk, course, titles)?;
        while let Some(record) = records.next()? {
            fill.take(bulk, &record)?;
        }
        self.events += fill.finish(bulk)?;
        Ok(())
    }

    pub fn counts(&self) -> Result<EventCounts> {
        Ok(EventCounts { events: self.events, cut_columns: created(&self.schema)?.cut_columns })
    }

    /// The tables in their order; none before they are created.
    pub fn table_names(&self) -> Vec<String> {
        self.schema.iter().flat_map(Schema::tables).map(|table| table.name.clone()).collect()
    }
}

fn created(schema: &Option<Schema>) -> Result<&Schema> {
    schema.as_ref().ok_or_else(|| Error::internal("tables of events are filled before they are created"))
}
