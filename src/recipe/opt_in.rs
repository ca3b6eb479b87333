//! `email_opt_in.csv`: who may be written to, joined to their profiles; knows no folders, no dates.
//!
//! One row a mail address (compared in lower case, written as first met, sorted by it) that the list says `True` of in
//! any row. Of the users that any course's `auth_user` has under that address the one with the lowest id counts, and
//! of its profiles the first. What is joined lies in scratch space: memory stays flat however long the list is.

mod list;
mod tables;

use rusqlite::{Connection, params};

use crate::error::{Error, ErrorKind, Result};
use crate::recipe::derived::OptIn;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::{Artifact, Content, Output, Outputs, Part};
use crate::sqlite::{Building, failed};

use list::OptedIn;
use tables::Cells;

const HEADER: &str = "mail,name,gender,year_of_birth,country\r\n";
/// Columns of a profile; one that a table lacks is NULL.
const PROFILE: [&str; 4] = ["name", "gender", "year_of_birth", "country"];

const CREATE: &str = "create table learner (mail_key text primary key, mail text not null, user_id integer, \
    has_profile integer not null default 0, name text, gender text, year_of_birth text, country text) without rowid";
const ADD: &str = "insert into learner (mail_key, mail) values (?1, ?2) on conflict do nothing";
const NAME_USER: &str = "update learner set user_id = ?2 where mail_key = ?1 and (user_id is null or user_id > ?2)";
const INDEX: &str = "create index learner_user_id on learner (user_id)";
const DESCRIBE: &str = "update learner set has_profile = 1, name = ?2, gender = ?3, year_of_birth = ?4, country = ?5 \
    where user_id = ?1 and has_profile = 0";
const ALL: &str = "select mail, name, gender, year_of_birth, country from learner order by mail_key";

/// Joins the list to each course's tables, into `Output::Whole`: CSV (RFC 4180).
///
/// Tables that are missing, damaged, of unsupported form or without a secret key are left out and named in the
/// summary, but the lack of a key for all of one kind fails. Errors: `Corrupt` for a list without the columns that are
/// needed; the list's and the scratch space's own.
pub fn make(opt_in: &OptIn, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let building = Building::begin(inputs.scratch())?;
    let mut join = Join { connection: building.connection(), skipped: Vec::new() };
    // Each statement alone would be a transaction; this one never ends, as nobody wants the database.
    if join.connection.is_autocommit() {
        join.connection.execute_batch("begin").map_err(failed)?;
    }
    join.read_list(inputs.artifact(&opt_in.list)?).map_err(|error| error.about(name(&opt_in.list)))?;
    join.each(&opt_in.users, inputs, &Join::add_users)?;
    join.connection.execute(INDEX, []).map_err(failed)?;
    join.each(&opt_in.profiles, inputs, &Join::add_profiles)?;
    join.write(outputs)?;
    Ok(Summary { skipped: join.skipped, ..Summary::default() })
}

struct Join<'a> {
    connection: &'a Connection,
    skipped: Vec<(String, String)>,
}

/// Reads one table into the join.
type AddTable<'a> = dyn Fn(&Join<'a>, Box<dyn Content>) -> Result<()>;

impl<'a> Join<'a> {
    fn read_list(&self, content: Box<dyn Content>) -> Result<()> {
        self.connection.execute(CREATE, []).map_err(failed)?;
        let mut add = self.connection.prepare(ADD).map_err(failed)?;
        let mut list = OptedIn::new(content)?;
        while let Some(mail) = list.next_mail()? {
            add.execute(params![mail.to_lowercase(), mail]).map_err(failed)?;
        }
        Ok(())
    }

    fn each(&mut self, artifacts: &[Artifact], inputs: &dyn Inputs, add: &AddTable<'a>) -> Result<()> {
        let (mut read, mut locked) = (0, None);
        for artifact in artifacts {
            let added = match inputs.artifact(artifact) {
                Ok(content) => add(self, content),
                Err(error) => Err(error),
            };
            match added {
                Ok(()) => read += 1,
                Err(error) if is_skipped(error.kind()) => {
                    self.skipped.push((name(artifact), error.message()));
                    locked = locked.or((error.kind() == ErrorKind::NoSecretKey).then_some(error));
                }
                Err(error) => return Err(error.about(name(artifact))),
            }
        }
        // It would look like learners without profiles, and stay so when the key is given.
        locked.filter(|_| read == 0).map_or(Ok(()), Err)
    }

    fn add_users(&self, content: Box<dyn Content>) -> Result<()> {
        let mut name_user = self.connection.prepare_cached(NAME_USER).map_err(failed)?;
        let mut users = Cells::new(content, &["id", "email"], &[])?;
        while let Some(row) = users.next_row()? {
            if let [Some(id), Some(mail)] = &row[..]
                && let Some(id) = user_id(id)
            {
                name_user.execute(params![mail.to_lowercase(), id]).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn add_profiles(&self, content: Box<dyn Content>) -> Result<()> {
        let mut describe = self.connection.prepare_cached(DESCRIBE).map_err(failed)?;
        let mut profiles = Cells::new(content, &["user_id"], &PROFILE)?;
        while let Some(row) = profiles.next_row()? {
            if let [Some(id), name, gender, year_of_birth, country] = &row[..]
                && let Some(id) = user_id(id)
            {
                describe.execute(params![id, name, gender, year_of_birth, country]).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn write(&self, outputs: &mut dyn Outputs) -> Result<()> {
        let slot = outputs.create(&Output::Whole)?;
        let mut text = HEADER.to_owned();
        let mut select = self.connection.prepare(ALL).map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            for column in 0..=PROFILE.len() {
                let cell: Option<String> = row.get(column).map_err(failed)?;
                push_cell(&mut text, column, cell.as_deref());
            }
            text.push_str("\r\n");
            if text.len() >= PIECE_BYTES {
                outputs.append(slot, text.as_bytes())?;
                text.clear();
            }
        }
        outputs.append(slot, text.as_bytes())
    }
}

const PIECE_BYTES: usize = 128 * 1024;

/// NULL is an empty field, the empty text a quoted one.
fn push_cell(text: &mut String, column: usize, cell: Option<&str>) {
    if column > 0 {
        text.push(',');
    }
    match cell {
        None => {}
        Some(cell) if cell.is_empty() || cell.contains([',', '"', '\r', '\n']) => {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        }
        Some(cell) => text.push_str(cell),
    }
}

/// A user's id; None for what is no number.
fn user_id(cell: &str) -> Option<i64> {
    cell.bytes().all(|byte| byte.is_ascii_digit()).then(|| cell.parse().ok()).flatten()
}

fn is_skipped(kind: ErrorKind) -> bool {
    kind == ErrorKind::NotFound || kind.is_about_content()
}

fn name(artifact: &Artifact) -> String {
    artifact.recipe.input().map_or_else(|| artifact.recipe.label(), Part::name)
}

/// What a file without its columns is.
fn lacks(column: &str) -> Error {
    Error::corrupt(format!("has no column {column}"))
}

#[cfg(test)]
mod tests;
