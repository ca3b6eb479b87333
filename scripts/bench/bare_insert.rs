//! A bare prepared-insert loop: what is left of `courseware_studentmodule` → SQLite if nothing else has to be done.
//!
//! `bare_insert TABLE.tsv NEW.db` puts the rows of a tab-separated file into a table of TEXT columns, in one
//! transaction, in a plain file, and prints the seconds of the loop and those of an index on `student_id` after it.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use rusqlite::{Connection, params_from_iter};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, database] = arguments.as_slice() else { return Err("usage: bare_insert TABLE.tsv NEW.db".into()) };
    let connection = Connection::open(database)?;
    connection.execute_batch("pragma page_size = 4096; pragma synchronous = off;")?;
    let begun = Instant::now();
    connection.execute_batch("begin")?;
    let rows = insert(&connection, &mut BufReader::with_capacity(1 << 20, File::open(table)?))?;
    connection.execute_batch("commit")?;
    let inserted = begun.elapsed();
    connection
        .execute_batch("create index courseware_studentmodule_student_id on courseware_studentmodule(student_id)")?;
    let indexed = begun.elapsed() - inserted;
    println!(
        "{{\"rows\": {rows}, \"insert\": {:.3}, \"index\": {:.3}}}",
        inserted.as_secs_f64(),
        indexed.as_secs_f64()
    );
    Ok(())
}

/// The header, then every row; how many there were.
fn insert(connection: &Connection, table: &mut dyn BufRead) -> Result<u64, Box<dyn Error>> {
    let mut line = String::new();
    table.read_line(&mut line)?;
    let columns: Vec<String> = line.trim_end_matches('\n').split('\t').map(|name| format!("\"{name}\" TEXT")).collect();
    connection.execute_batch(&format!("create table courseware_studentmodule({})", columns.join(", ")))?;
    let places = vec!["?"; columns.len()].join(", ");
    let mut statement = connection.prepare(&format!("insert into courseware_studentmodule values({places})"))?;
    let mut rows = 0;
    loop {
        line.clear();
        if table.read_line(&mut line)? == 0 {
            return Ok(rows);
        }
        statement.execute(params_from_iter(line.trim_end_matches('\n').split('\t')))?;
        rows += 1;
    }
}
