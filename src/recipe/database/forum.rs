//! The tables from the forum: posts by author, and posts in order of time.
//!
//! Posts wait in a temporary table of the database's own connection, which sorts them in bounded memory: millions do not
//! fit into ours, and their columns are known only when all are read.

use std::collections::HashMap;
use std::io::Read;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Statement, params};

use crate::edx::forum::{Post, post};
use crate::edx::table::{Dialect, Records};
use crate::error::Result;
use crate::recipe::database::columns::{DistinctNames, quoted};
use crate::recipe::database::{leading, run};
use crate::recipe::derived::Scope;
use crate::sqlite::failed;

/// The tables, in their order.
pub const FORUM: [&str; 2] = ["discussion_forum_activity", "discussion_forum_activity_ng"];

/// Posts whose author is not known.
const UNDEFINED: &str = "undefined";

/// The column of posts without a type, or with one beyond the limits.
const OTHER: &str = "other";
const KIND_LIMIT: usize = 100;
const KIND_BYTES: usize = 255;

/// Posts on their way from `.mongo` files to tables.
pub struct Forum<'c> {
    connection: &'c Connection,
    /// Courses read, in order.
    folders: Vec<String>,
    /// Types met, in order; `other` among them where it is needed.
    kinds: Vec<String>,
    kind_numbers: HashMap<String, u32>,
    /// Lines that hold no post and are not blank.
    pub bad_lines: u64,
}

impl<'c> Forum<'c> {
    pub fn begin(connection: &'c Connection) -> Result<Self> {
        // `rank`, `digits` and `number` sort authors: numbers by value, then other texts, the unknown last.
        run(
            connection,
            "CREATE TEMP TABLE forum_posts (course INTEGER, rank INTEGER, digits INTEGER, number TEXT, \
             author TEXT, kind INTEGER, created INTEGER, thread TEXT, response_to TEXT)",
        )?;
        Ok(Forum { connection, folders: Vec::new(), kinds: Vec::new(), kind_numbers: HashMap::new(), bad_lines: 0 })
    }

    /// Takes in one course's posts; courses come in the order of their rows. On an error none of them stays.
    pub fn read(&mut self, folder: &str, content: impl Read) -> Result<()> {
        let course = u32::try_from(self.folders.len()).expect("an organisation has fewer courses");
        let bad_lines = self.bad_lines;
        let read = self.read_posts(course, content);
        match read {
            Ok(()) => self.folders.push(folder.to_owned()),
            Err(_) => {
                self.bad_lines = bad_lines;
                let sql = "DELETE FROM temp.forum_posts WHERE course = ?1";
                self.connection.execute(sql, [course]).map_err(failed)?;
            }
        }
        read
    }

    fn read_posts(&mut self, course: u32, content: impl Read) -> Result<()> {
        let sql = "INSERT INTO temp.forum_posts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut insert = self.connection.prepare(sql).map_err(failed)?;
        // Lines end as a table's records do.
        let mut lines = Records::new(content, Dialect::Escaped);
        while let Some(line) = lines.next_record()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Some(Post { kind, author, created, thread, parent }) = post(line) else {
                self.bad_lines += 1;
                continue;
            };
            let kind = self.kind_number(kind);
            let author = author.as_deref().unwrap_or(UNDEFINED);
            let (rank, digits, number) = author_order(author);
            let row = params![course, rank, digits, number, author, kind, created, thread, parent];
            insert.execute(row).map_err(failed)?;
        }
        Ok(())
    }

    fn kind_number(&mut self, kind: Option<String>) -> u32 {
        let kind = kind.filter(|kind| !kind.is_empty() && kind.len() <= KIND_BYTES);
        if let Some(number) = kind.as_ref().and_then(|kind| self.kind_numbers.get(kind)) {
            return *number;
        }
        let has_room = self.kinds.len() - usize::from(self.kind_numbers.contains_key(OTHER)) < KIND_LIMIT;
        let kind = kind.filter(|_| has_room).unwrap_or_else(|| OTHER.to_owned());
        *self.kind_numbers.entry(kind).or_insert_with_key(|kind| {
            self.kinds.push(kind.clone());
            self.kinds.len() as u32 - 1
        })
    }

    /// Creates and fills the tables, where any course has a forum.
    pub fn write(self, scope: &Scope) -> Result<()> {
        if !self.folders.is_empty() {
            self.write_authors(scope)?;
            self.write_posts(scope)?;
        }
        run(self.connection, "DROP TABLE temp.forum_posts")
    }

    fn write_authors(&self, scope: &Scope) -> Result<()> {
        let mut order: Vec<usize> = (0..self.kinds.len()).collect();
        order.sort_by_key(|kind| &self.kinds[*kind]);
        let mut distinct = DistinctNames::beside(&["course", "user_id"]);
        let mut columns: Vec<String> = leading(scope).iter().map(|name| format!("{name} TEXT")).collect();
        columns.push("user_id TEXT".to_owned());
        columns.extend(order.iter().map(|kind| format!("{} INTEGER", quoted(&distinct.take(&self.kinds[*kind])))));
        run(self.connection, &format!("CREATE TABLE discussion_forum_activity ({})", columns.join(", ")))?;

        let mut place_of_kind = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, kind)| place_of_kind[*kind] = place);
        let mut rows = AuthorRows::new(self, scope, order.len())?;
        let sql = "SELECT course, author, kind, count(*) FROM temp.forum_posts \
                   GROUP BY course, rank, digits, number, length(author), author, kind \
                   ORDER BY course, rank, digits, number, length(author), author, kind";
        let mut counts = self.connection.prepare(sql).map_err(failed)?;
        let mut counts = counts.raw_query();
        while let Some(count) = counts.next().map_err(failed)? {
            let kind: u32 = count.get(2).map_err(failed)?;
            let author = count.get_ref(1).map_err(failed)?.as_str().map_err(|error| failed(error.into()))?;
            rows.count(
                count.get(0).map_err(failed)?,
                author,
                place_of_kind[kind as usize],
                count.get(3).map_err(failed)?,
            )?;
        }
        rows.flush()?;
        run(self.connection, "CREATE INDEX discussion_forum_activity_user_id ON discussion_forum_activity (user_id)")
    }

    fn write_posts(&self, scope: &Scope) -> Result<()> {
        let course = if leading(scope).is_empty() { "" } else { "course TEXT, " };
        let columns = format!("{course}id INTEGER, poster TEXT, thread TEXT, response_to TEXT");
        run(self.connection, &format!("CREATE TABLE discussion_forum_activity_ng ({columns})"))?;
        let mut insert = prepare_insert(self.connection, FORUM[1], leading(scope).len() + 4)?;
        // An unreadable time is NULL, which comes first.
        let sql = "SELECT course, author, thread, response_to FROM temp.forum_posts ORDER BY course, created, rowid";
        let mut posts = self.connection.prepare(sql).map_err(failed)?;
        let mut posts = posts.raw_query();
        let (mut course, mut id) = (0, 0_i64);
        while let Some(post) = posts.next().map_err(failed)? {
            let of: u32 = post.get(0).map_err(failed)?;
            id = if of == course { id + 1 } else { 1 };
            course = of;
            let mut parameter = 1;
            if !leading(scope).is_empty() {
                insert.raw_bind_parameter(parameter, &self.folders[course as usize]).map_err(failed)?;
                parameter += 1;
            }
            insert.raw_bind_parameter(parameter, id).map_err(failed)?;
            for column in 1..=3 {
                let text = post.get_ref(column).map_err(failed)?;
                insert.raw_bind_parameter(parameter + column, ToSqlOutput::Borrowed(text)).map_err(failed)?;
            }
            insert.raw_execute().map_err(failed)?;
        }
        Ok(())
    }
}

/// One author's counts at a time.
struct AuthorRows<'a> {
    folders: &'a [String],
    has_course: bool,
    insert: Statement<'a>,
    course: u32,
    /// None before the first.
    author: Option<String>,
    counts: Vec<Option<i64>>,
}

impl<'a> AuthorRows<'a> {
    fn new(forum: &'a Forum<'_>, scope: &Scope, kinds: usize) -> Result<Self> {
        let has_course = !leading(scope).is_empty();
        let insert = prepare_insert(forum.connection, FORUM[0], leading(scope).len() + 1 + kinds)?;
        Ok(AuthorRows {
            folders: &forum.folders,
            has_course,
            insert,
            course: 0,
            author: None,
            counts: vec![None; kinds],
        })
    }

    fn count(&mut self, course: u32, author: &str, place: usize, count: i64) -> Result<()> {
        if self.course != course || self.author.as_deref() != Some(author) {
            self.flush()?;
            self.course = course;
            self.author = Some(author.to_owned());
        }
        self.counts[place] = Some(count);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(author) = self.author.take() else { return Ok(()) };
        let mut parameter = 0;
        let mut next = || {
            parameter += 1;
            parameter
        };
        if self.has_course {
            self.insert.raw_bind_parameter(next(), &self.folders[self.course as usize]).map_err(failed)?;
        }
        self.insert.raw_bind_parameter(next(), author).map_err(failed)?;
        for count in &mut self.counts {
            self.insert.raw_bind_parameter(next(), count.take()).map_err(failed)?;
        }
        self.insert.raw_execute().map(|_| ()).map_err(failed)
    }
}

fn prepare_insert<'c>(connection: &'c Connection, table: &str, columns: usize) -> Result<Statement<'c>> {
    let parameters = vec!["?"; columns].join(", ");
    connection.prepare(&format!("INSERT INTO {} VALUES ({parameters})", quoted(table))).map_err(failed)
}

/// What sorts authors: the kind of name, significant digits, the name without leading zeros; of those alike the shorter
/// name comes first.
fn author_order(author: &str) -> (u8, i64, &str) {
    if author == UNDEFINED {
        return (2, 0, author);
    }
    if !author.bytes().all(|byte| byte.is_ascii_digit()) {
        return (1, 0, author);
    }
    let number = author.trim_start_matches('0');
    (0, number.len() as i64, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::database::sheet::tests::csv;

    fn posts(lines: &[(&str, &str, &str, u32)]) -> String {
        let line = |(kind, author, date, id): &(&str, &str, &str, u32)| {
            let author = if author.is_empty() { String::new() } else { format!(r#""author_id":{author},"#) };
            format!(
                r#"{{"_id":{{"$oid":"p{id}"}},"_type":{kind},{author}"comment_thread_id":{{"$oid":"t"}},"created_at":{{"$date":{date}}}}}"#
            ) + "\n"
        };
        lines.iter().map(line).collect()
    }

    fn written(scope: &Scope, courses: &[(&str, &str)]) -> (Connection, u64) {
        let connection = Connection::open_in_memory().unwrap();
        let mut forum = Forum::begin(&connection).unwrap();
        for (folder, content) in courses {
            forum.read(folder, content.as_bytes()).unwrap();
        }
        let bad_lines = forum.bad_lines;
        forum.write(scope).unwrap();
        (connection, bad_lines)
    }

    #[test]
    fn posts_are_counted_by_author_and_numbered_by_time() {
        let lines = [
            ("\"Comment\"", "\"10\"", "\"2014-01-26T18:11:41.966Z\"", 1),
            ("\"CommentThread\"", "9", "{\"$numberLong\":\"1390759901965\"}", 2),
            ("\"Comment\"", "\"10\"", "1390759901966", 3),
            ("\"Comment\"", "", "1390759901964", 4),
            ("\"Comment\"", "\"x\\\"ö\"", "\"soon\"", 5),
            ("\"Comment\"", "\"007\"", "1", 6),
            ("\"Comment\"", "\"7\"", "1", 7),
        ];
        let (connection, bad_lines) = written(&Scope::Course("A".into()), &[("A", &(posts(&lines) + "{\n\n \n[]\n"))]);
        assert_eq!(bad_lines, 2);
        assert_eq!(
            csv(&connection, FORUM[0]),
            "user_id,Comment,CommentThread\r\n7,1,\r\n007,1,\r\n9,,1\r\n10,2,\r\n\"x\"\"ö\",1,\r\nundefined,1,\r\n"
        );
        assert_eq!(
            csv(&connection, FORUM[1]),
            "id,poster,thread,response_to\r\n1,\"x\"\"ö\",t,\r\n2,007,t,\r\n3,7,t,\r\n4,undefined,t,\r\n5,9,p2,\r\n\
             6,10,t,\r\n7,10,t,\r\n"
        );
    }

    #[test]
    fn an_empty_forum_makes_empty_tables_and_none_makes_none() {
        let (connection, _) = written(&Scope::Course("A".into()), &[("A", "")]);
        assert_eq!(csv(&connection, FORUM[0]), "user_id\r\n");
        assert_eq!(csv(&connection, FORUM[1]), "id,poster,thread,response_to\r\n");
        let (connection, _) = written(&Scope::Organisation, &[]);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn the_organisation_numbers_each_course_and_shares_columns() {
        let a = posts(&[("\"b\"", "1", "5", 1), ("\"USER_ID\"", "1", "4", 2)]);
        let b = posts(&[("null", "1", "5", 1), ("\"B\"", "2", "5", 1)]);
        let (connection, _) = written(&Scope::Organisation, &[("A", &a), ("B", &b)]);
        assert_eq!(
            csv(&connection, FORUM[0]),
            "course,user_id,B,USER_ID_2,b_2,other\r\nA,1,,1,1,\r\nB,1,,,,1\r\nB,2,1,,,\r\n"
        );
        assert_eq!(
            csv(&connection, FORUM[1]),
            "course,id,poster,thread,response_to\r\nA,1,1,t,\r\nA,2,1,t,\r\nB,1,1,t,\r\nB,2,2,t,\r\n"
        );
    }

    #[test]
    fn types_beyond_the_limit_are_counted_together() {
        let lines: String = (0..130).map(|n| posts(&[(&format!("\"k{n:03}\""), "1", "5", n)])).collect();
        let (connection, _) = written(&Scope::Course("A".into()), &[("A", &lines)]);
        let table = csv(&connection, FORUM[0]);
        let header = table.lines().next().unwrap();
        assert!(header.starts_with("user_id,k000,k001") && header.ends_with("k099,other"), "{header}");
        assert!(table.ends_with(",1,30\r\n"));
    }

    #[test]
    fn a_forum_that_fails_leaves_no_post() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("gone"))
            }
        }
        let connection = Connection::open_in_memory().unwrap();
        let mut forum = Forum::begin(&connection).unwrap();
        let post = posts(&[("\"Comment\"", "1", "1", 1)]);
        assert!(forum.read("A", std::io::Read::chain(post.as_bytes(), Fails)).is_err());
        forum.read("B", post.as_bytes()).unwrap();
        forum.write(&Scope::Organisation).unwrap();
        assert_eq!(csv(&connection, FORUM[0]), "course,user_id,Comment\r\nB,1,1\r\n");
    }
}
