//! The programs that researchers open such a database with, on the mount, without `immutable` and without a journal.

use std::path::Path;
use std::process::Command;

use crate::common::run;
use crate::{NEW, OLD, WINDOW, course_path, mounted};

const PERL: &str = r#"
use DBI;
my $dbh = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", "", "", {RaiseError => 1, ReadOnly => 1});
print $dbh->selectrow_array("SELECT count(*) FROM video_activity_ng"), "\n";
"#;
const PYTHON: &str = r#"
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM video_activity_ng").fetchone()[0])
"#;
const R: &str = r#"
path <- commandArgs(trailingOnly = TRUE)[1]
db <- DBI::dbConnect(RSQLite::SQLite(), path, flags = RSQLite::SQLITE_RO)
cat(DBI::dbGetQuery(db, "SELECT count(*) AS n FROM video_activity_ng")$n, "\n")
"#;

fn text(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).expect("a number").trim().to_owned()
}

fn sqlite(path: &Path, query: &str) -> String {
    text(Command::new("sqlite3").arg("-readonly").arg(path).arg(query))
}

#[test]
fn sqlite_perl_python_and_r_give_the_same_count() {
    let mount = mounted(&[]);
    let path = mount.path(&format!("courses/{NEW}/samced.db"));
    let count = sqlite(&path, "SELECT count(*) FROM video_activity_ng");
    assert!(count.parse::<u32>().is_ok_and(|count| count > 50), "{count}");
    assert_eq!(text(Command::new("perl").args(["-e", PERL]).arg(&path)), count, "Perl DBI");
    assert_eq!(text(Command::new("python3").args(["-c", PYTHON]).arg(&path)), count, "Python");
    assert_eq!(text(Command::new("Rscript").args(["--vanilla", "-e", R]).arg(&path)), count, "R");
}

#[test]
fn every_database_passes_its_check_and_leaves_no_journal() {
    let mount = mounted(&[]);
    let whole = [OLD, NEW].map(|course| course_path(course, "_"));
    for folder in [&whole[..], &[course_path(NEW, WINDOW), String::new()]].concat() {
        let path = mount.path(format!("{folder}/samced.db").trim_start_matches('/'));
        for query in ["pragma integrity_check", "pragma quick_check"] {
            assert_eq!(sqlite(&path, query), "ok", "{folder}: {query}");
        }
        assert_eq!(sqlite(&path, "pragma journal_mode"), "delete", "{folder}");
        assert_eq!(sqlite(&path, "pragma foreign_key_check"), "", "{folder}");
        let names = mount.list(&folder);
        let of_sqlite = |name: &&String| name.ends_with("-journal") || name.ends_with("-wal") || name.ends_with("-shm");
        assert_eq!(names.iter().find(of_sqlite), None, "{folder}");
    }
}

#[test]
fn an_index_serves_a_learners_rows() {
    let mount = mounted(&[]);
    let path = mount.path(&format!("courses/{NEW}/samced.db"));
    for (table, column) in [("video_activity_ng", "user_id"), ("courseware_studentmodule", "student_id")] {
        let plan = sqlite(&path, &format!("explain query plan select * from {table} where {column} = '1001'"));
        assert!(plan.contains(&format!("USING INDEX {table}_{column}")), "{plan}");
    }
}
