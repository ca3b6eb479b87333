//! The table `course_axis`: the blocks of courses in their order.

use rusqlite::{Connection, params};

use crate::edx::course_structure::{Place, Structure};
use crate::error::Result;
use crate::recipe::database::{leading, run};
use crate::recipe::derived::Scope;
use crate::sqlite::failed;

pub const AXIS: &str = "course_axis";

pub fn create(connection: &Connection, scope: &Scope) -> Result<()> {
    let course = if leading(scope).is_empty() { "" } else { "course TEXT, " };
    run(
        connection,
        &format!(
            "CREATE TABLE {AXIS} ({course}block_id TEXT, category TEXT, display_name TEXT, parent TEXT, chapter TEXT, \
             sequential TEXT, vertical TEXT, position INTEGER, graded INTEGER, start TEXT, due TEXT)"
        ),
    )
}

/// Adds the blocks of one course that can be reached from the course's own, depth first.
pub fn write(connection: &Connection, scope: &Scope, folder: &str, structure: &Structure) -> Result<()> {
    let columns = leading(scope).len() + 11;
    let sql = format!("INSERT INTO {AXIS} VALUES ({})", vec!["?"; columns].join(", "));
    let mut insert = connection.prepare(&sql).map_err(failed)?;
    for Place { id, block, parent, position, chapter, sequential, vertical } in structure.places() {
        let row = params![
            folder,
            id,
            block.category,
            block.display_name,
            parent,
            chapter,
            sequential,
            vertical,
            position,
            block.graded,
            block.start,
            block.due
        ];
        insert.execute(&row[row.len() - columns..]).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::database::sheet::tests::csv;

    const JSON: &str = r#"{"r": {"category": "course", "children": ["w"], "metadata": {"display_name": "Bio", "end": null}},
        "w": {"category": "chapter", "metadata": {"display_name": "Week \"1\"", "graded": true, "start": "2014-08-10T07:00:00Z"}}}"#;

    #[test]
    fn a_row_says_what_the_block_says() {
        let connection = Connection::open_in_memory().unwrap();
        let scope = Scope::Course("A".into());
        create(&connection, &scope).unwrap();
        write(&connection, &scope, "A", &Structure::read(JSON.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            csv(&connection, AXIS),
            "block_id,category,display_name,parent,chapter,sequential,vertical,position,graded,start,due\r\n\
             r,course,Bio,,,,,,,,\r\nw,chapter,\"Week \"\"1\"\"\",r,w,,,1,1,2014-08-10T07:00:00Z,\r\n"
        );
    }

    #[test]
    fn the_organisations_axis_names_the_course() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection, &Scope::Organisation).unwrap();
        for folder in ["A", "B"] {
            write(&connection, &Scope::Organisation, folder, &Structure::read(JSON.as_bytes()).unwrap()).unwrap();
        }
        let table = csv(&connection, AXIS);
        assert!(table.starts_with("course,block_id,") && table.contains("\r\nB,r,course,Bio,,"));
        assert_eq!(table.lines().count(), 5);
    }
}
