use std::io::{self, Cursor};

use super::*;
use crate::error::ErrorKind;
use crate::recipe::database::bulk::tests::sound;
use crate::recipe::database::sheet::tests::csv;
use crate::recipe::joined::Opener;
use crate::recipe::testing::MemoryInputs;
use crate::sqlite::testing::{Bytes, Memory};
use crate::sqlite::{Building, Reading};

type Files<'a> = &'a [(&'a str, Result<&'a [u8]>)];

struct Imported {
    reading: Reading,
    mended: Mended,
    unusable: Vec<(String, ErrorKind)>,
}

fn imported(scope: &Scope, table: &'static str, files: Files<'_>) -> Result<Imported> {
    let opener = |content: &Result<&[u8]>| -> Opener<'static> {
        let content = content.clone().map(<[u8]>::to_vec);
        Box::new(move || Ok(Box::new(Cursor::new(content.clone()?)) as Box<dyn Read>))
    };
    let mut inputs: Vec<_> =
        files.iter().map(|(folder, content)| JoinInput { folder, open: opener(content) }).collect();
    let building = Building::begin(Memory::space())?;
    let (mut mended, mut unusable) = (Mended::default(), Vec::new());
    let planned = plan(building.connection(), scope, table, &mut inputs, &mut unusable)?;
    let given = MemoryInputs::default();
    let mut file = Bytes::default();
    let mut bulk = Bulk::begin(building, &given, &mut file)?;
    if let Some(planned) = planned {
        assert!(import(&mut bulk, scope, planned, &mut inputs, &mut mended)?.is_none());
    }
    bulk.finish()?;
    let reading = sound(file);
    let unusable = unusable.into_iter().map(|(folder, error)| (folder, error.kind())).collect();
    Ok(Imported { reading, mended, unusable })
}

fn of_course(table: &'static str, content: &[u8]) -> Imported {
    imported(&Scope::Course("A".into()), table, &[("A", Ok(content))]).expect("imports")
}

fn schema(connection: &Connection) -> Vec<String> {
    let mut sql = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid").expect("prepares");
    sql.query_map([], |row| row.get(0)).expect("queries").map(|row| row.expect("reads")).collect()
}

#[test]
fn cells_are_stored_raw_in_file_order() {
    let content = "id\tuser_id\tcontent\n9\t7\tsay \"hi\" 😀\\tC:\\\\new\n\
                   3\t\tNULL\n5\tNULL\tcourse-v1:Other+C+R\n4\t1\tlast\r"
        .as_bytes();
    let imported = of_course("wiki_articlerevision", content);
    assert_eq!(
        csv(imported.reading.connection(), "wiki_articlerevision"),
        "id,user_id,content\r\n9,7,\"say \"\"hi\"\" 😀\\tC:\\\\new\"\r\n3,\"\",NULL\r\n5,NULL,course-v1:Other+C+R\r\n\
         4,1,\"last\r\"\r\n"
    );
    assert_eq!(imported.mended, Mended::default());
    assert_eq!(
        schema(imported.reading.connection()),
        [
            "CREATE TABLE \"wiki_articlerevision\" (\"id\" TEXT, \"user_id\" TEXT, \"content\" TEXT)",
            "CREATE INDEX \"wiki_articlerevision_user_id\" ON \"wiki_articlerevision\" (user_id)"
        ]
    );
}

#[test]
fn rows_that_do_not_fit_are_mended_and_counted() {
    let content = b"a\tb\tc\n1\t2\n\n1\t2\t3\t4\t5\n\xffx\t\xc3\xb6\t\xed\xa0\x80\n1\t2\t3\t\xff\n1\t2\t3";
    let imported = of_course("user_api_usercoursetag", content);
    assert_eq!(
        csv(imported.reading.connection(), "user_api_usercoursetag"),
        "a,b,c\r\n1,2,\r\n1,2,3\r\n\u{FFFD}x,ö,\u{FFFD}\u{FFFD}\u{FFFD}\r\n1,2,3\r\n1,2,3\r\n"
    );
    let mended = Mended { short_rows: 1, long_rows: 2, invalid_utf8_cells: 2, cut_columns: 0 };
    assert_eq!(imported.mended, mended);
    let with_nul = of_course("wiki_article", b"a\tb\nx\0y\t\0\n");
    assert_eq!(csv(with_nul.reading.connection(), "wiki_article"), "a,b\r\nx\u{2400}y,\u{2400}\r\n");
    assert_eq!(with_nul.mended, Mended::default());
    let one_column = of_course("wiki_article", b"a\n\n1\n");
    assert_eq!(csv(one_column.reading.connection(), "wiki_article"), "a\r\n\"\"\r\n1\r\n");
}

#[test]
fn a_backslash_continues_a_cell_of_studentmodule_alone() {
    let content = b"id\tstudent_id\tstate\n1\t7\ta\\\tb\\\nc\\\\\n2\t8\tx";
    let imported = of_course(STUDENTMODULE, content);
    let table = csv(imported.reading.connection(), STUDENTMODULE);
    assert_eq!(table, "id,student_id,state\r\n1,7,\"a\\\tb\\\nc\\\\\"\r\n2,8,x\r\n");
    assert!(schema(imported.reading.connection())[1].contains("\"courseware_studentmodule_student_id\""));
    assert_eq!(of_course("wiki_article", b"a\tb\n1\\\t2\n").mended, Mended::default());
}

#[test]
fn removed_columns_leave_nothing_behind() {
    let profile = b"id\tuser_id\tname\tnew\tcity\tgender\n77\t1001\tsecret\tsecret\tGbg\tf\n78\t1002\tsecret\n";
    let imported = of_course("auth_userprofile", profile);
    assert_eq!(
        csv(imported.reading.connection(), "auth_userprofile"),
        "id,user_id,city,gender\r\n77,1001,Gbg,f\r\n78,1002,,\r\n"
    );
    assert_eq!(imported.mended.short_rows, 1);
    let certificates = b"id\tuser_id\tName\tmode\n1\t2\tsecret\thonor\n\xff\t2\tsecret\xff\thonor\tsecret\n";
    let imported = of_course("certificates_generatedcertificate", certificates);
    assert_eq!(
        csv(imported.reading.connection(), "certificates_generatedcertificate"),
        "id,user_id,mode\r\n1,2,honor\r\n\u{FFFD},2,honor\r\n"
    );
    assert_eq!(imported.mended.invalid_utf8_cells, 1);
    assert_eq!(of_course("auth_userprofile", b"name\tbio\na\tb\n").unusable, [("A".into(), ErrorKind::Unsupported)]);
}

#[test]
fn names_of_columns_may_be_anything() {
    let header = "a\"b\tA\"B\t\t\tcourse\tselect\tö\0\t\u{fffd}\n";
    let imported = of_course("wiki_article", header.as_bytes());
    let table = csv(imported.reading.connection(), "wiki_article");
    assert_eq!(table, "\"a\"\"b\",\"A\"\"B_2\",column_3,column_4,course,select,ö\u{2400},\u{FFFD}\r\n");
    let many: Vec<u8> = (0..3_000).flat_map(|n| format!("c{n}\t").into_bytes()).collect();
    let imported = of_course("wiki_article", &[&many[..many.len() - 1], b"\n", &many[..]].concat());
    assert_eq!((imported.mended.cut_columns, imported.mended.long_rows), (1_100, 1));
    assert!(csv(imported.reading.connection(), "wiki_article").ends_with(",c1899\r\n"));
}

#[test]
fn the_organisations_table_unites_columns_and_names_the_course() {
    let files: Files<'_> = &[
        ("A-1-x", Ok(b"id\tuser_id\n1\t7\n\xff\t8\n")),
        ("B", Err(Error::corrupt("bad CRC"))),
        ("C", Ok(b"course\tuser_id\tUser_ID\tid\nc\t9\td\t2\n3\n")),
        ("D", Ok(b"")),
    ];
    let imported = imported(&Scope::Organisation, "student_courseenrollment", files).expect("imports");
    assert_eq!(
        csv(imported.reading.connection(), "student_courseenrollment"),
        "course,id,user_id,course_2,User_ID_2\r\nA-1-x,1,7,,\r\nA-1-x,\u{FFFD},8,,\r\nC,2,9,c,d\r\nC,,,3,\r\n"
    );
    assert_eq!(imported.unusable, [("B".into(), ErrorKind::Corrupt), ("D".into(), ErrorKind::NotFound)]);
    assert_eq!((imported.mended.short_rows, imported.mended.invalid_utf8_cells), (1, 1));
}

#[test]
fn what_cannot_be_decoded_makes_no_table_and_passing_trouble_fails() {
    let scope = Scope::Course("A".into());
    for kind in [ErrorKind::NotFound, ErrorKind::Corrupt, ErrorKind::Unsupported, ErrorKind::NoSecretKey] {
        let imported = imported(&scope, "wiki_article", &[("A", Err(Error::new(kind, "no")))]).expect("passes");
        assert_eq!((imported.unusable, schema(imported.reading.connection()).len()), (vec![("A".into(), kind)], 0));
    }
    for kind in [ErrorKind::Unreachable, ErrorKind::TimedOut, ErrorKind::Interrupted, ErrorKind::CacheFull] {
        let failed = imported(&scope, "wiki_article", &[("A", Err(Error::new(kind, "away")))]);
        assert_eq!(failed.err().map(|error| error.kind()), Some(kind));
    }
}

/// Gives `content`, then fails.
struct Cut<'a>(&'a [u8]);

impl Read for Cut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other(Error::corrupt("cut")));
        }
        self.0.read(buffer)
    }
}

#[test]
fn a_file_that_fails_behind_its_header_is_handed_back() {
    let scope = Scope::Course("A".into());
    let open: Opener<'static> = Box::new(|| Ok(Box::new(Cut(b"user_id\tx\n1\t2\n2\t3\n"))));
    let mut files = vec![JoinInput { folder: "A", open }];
    let building = Building::begin(Memory::space()).expect("memory does not fail");
    let (mut mended, mut unusable) = (Mended::default(), Vec::new());
    let planned = plan(building.connection(), &scope, "wiki_article", &mut files, &mut unusable).expect("a header");
    let given = MemoryInputs::default();
    let mut file = Bytes::default();
    let mut bulk = Bulk::begin(building, &given, &mut file).expect("a schema");
    let back =
        import(&mut bulk, &scope, planned.expect("a table"), &mut files, &mut mended).expect("no passing trouble");
    assert_eq!(back.map(|(folder, error)| (folder, error.kind())), Some(("A".to_owned(), ErrorKind::Corrupt)));
}
