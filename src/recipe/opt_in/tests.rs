use std::collections::HashMap;
use std::io::Cursor;
use std::io::Read;
use std::sync::Arc;

use super::*;
use crate::decode::Layers;
use crate::recipe::{Recipe, Slot};
use crate::source::{ETag, ObjectId, ObjectKey};
use crate::sqlite::{Scratch, ScratchSpace};

/// Files by name; those that are not there fail as they are told to.
#[derive(Default)]
struct Files {
    contents: HashMap<&'static str, String>,
    broken: HashMap<&'static str, ErrorKind>,
}

impl Files {
    fn with(mut self, name: &'static str, content: &str) -> Self {
        self.contents.insert(name, content.to_owned());
        self
    }

    fn broken(mut self, name: &'static str, kind: ErrorKind) -> Self {
        self.broken.insert(name, kind);
        self
    }
}

impl Inputs for Files {
    fn decoded(&self, _: &Part, _: &Layers) -> Result<Box<dyn Read + Send>> {
        Err(Error::internal("only artifacts are read"))
    }

    fn artifact(&self, artifact: &Artifact) -> Result<Box<dyn Content>> {
        let name = name(artifact);
        if let Some(kind) = self.broken.get(name.as_str()) {
            return Err(Error::new(*kind, "broken"));
        }
        let content = self.contents.get(name.as_str()).ok_or_else(|| Error::not_found("no such file"))?;
        Ok(Box::new(Cursor::new(content.clone().into_bytes())))
    }

    fn summary(&self, _: &Recipe) -> Result<Summary> {
        Err(Error::internal("nothing is summarised"))
    }

    fn scratch(&self) -> Arc<dyn ScratchSpace> {
        Arc::new(Memory)
    }
}

struct Memory;

struct Bytes(Vec<u8>);

impl ScratchSpace for Memory {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        Ok(Box::new(Bytes(Vec::new())))
    }
}

impl Scratch for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let from = (offset as usize).min(self.0.len());
        let bytes = buffer.len().min(self.0.len() - from);
        buffer[..bytes].copy_from_slice(&self.0[from..from + bytes]);
        Ok(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let end = offset as usize + bytes.len();
        self.0.resize(self.0.len().max(end), 0);
        self.0[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> Result<()> {
        self.0.truncate(bytes as usize);
        Ok(())
    }
}

#[derive(Default)]
struct Written(Vec<u8>);

impl Outputs for Written {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        assert_eq!(*output, Output::Whole);
        Ok(Slot(0))
    }

    fn append(&mut self, _: Slot, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn file(name: &str) -> Artifact {
    let object = ObjectId { key: ObjectKey::new(name), etag: ETag::new("1"), bytes: 1 };
    let recipe = Recipe::Decoded { part: Part::whole(object), layers: Layers::default() };
    Artifact { recipe, output: Output::Whole }
}

/// The file made of a list and the tables of courses A and B, and what was left out.
fn made(files: &Files) -> Result<(String, Vec<String>)> {
    let opt_in = OptIn {
        list: file("list"),
        users: vec![file("A-user"), file("B-user")],
        profiles: vec![file("A-profile"), file("B-profile")],
    };
    let mut written = Written::default();
    let summary = make(&opt_in, files, &mut written)?;
    let skipped = summary.skipped.into_iter().map(|(name, _)| name).collect();
    Ok((String::from_utf8(written.0).expect("text"), skipped))
}

const LIST: &str = "user_id,username,email,full_name,course_id,is_opted_in_for_email,preference_set_datetime\r\n\
    9,zoe,zoe@x.org,Zoe,c,True,2014-12-01 00:00:00\r\n\
    1,anna,Anna@X.org,\"Kö, \"\"A\"\"\r\nFalse,True\",c,False,2014-12-01 00:00:00\r\n\
    1,anna,ANNA@x.org,\"a\r\nb\",c,TRUE,2014-12-01 00:00:00\r\n\
    1,anna,anna@x.org,Anna,c,true,2014-12-01 00:00:00\r\n\
    2,ben,ben@x.org,Ben,c,False,2014-12-01 00:00:00\r\n\
    3,\"x,\r\ny\",\"c,\"\"1\"\"@x.org\",C,c,True,2014-12-01 00:00:00\r\n\
    4,d,dora@x.org,D,c,True\r\n\
    4,d,,D,c,True,2014-12-01 00:00:00\r\n";

fn users(rows: &str) -> String {
    format!("id\tusername\temail\tpassword\n{rows}")
}

fn profiles(rows: &str) -> String {
    format!("id\tuser_id\tname\tgender\tcity\tyear_of_birth\tcountry\n{rows}")
}

#[test]
fn the_opted_in_are_joined_by_mail_and_by_the_lowest_id() {
    let files = Files::default()
        .with("list", LIST)
        .with(
            "A-user",
            &users("10\tanna2\tanna@X.ORG\t\n9\tzoe\tzoe@x.org\t\n3\tc\tc,\"1\"@x.org\t\nx\ta\tanna@x.org\t\n"),
        )
        .with("B-user", &users("2\tben\tben@x.org\t\n1\tanna\tAnna@x.org\t\n9\tzoe\tZOE@x.org\t\n7\n"))
        .with("A-profile", &profiles("1\t10\tWrong\tm\tGraz\t1900\tAT\n2\t3\tC\\tD \"q\"\\r\\nE\t\tNULL\tNULL\tSE\n"))
        .with(
            "B-profile",
            &profiles("1\t1\tKö, Anna\tf\tGraz\t1990\tAT\n2\t1\tSecond\tm\tGraz\t1991\tDE\n5\t3\tLate\tm\n"),
        );
    let (text, skipped) = made(&files).expect("made");
    let expected = "mail,name,gender,year_of_birth,country\r\n\
        ANNA@x.org,\"Kö, Anna\",f,1990,AT\r\n\
        \"c,\"\"1\"\"@x.org\",\"C\tD \"\"q\"\"\r\nE\",\"\",,SE\r\n\
        zoe@x.org,,,,\r\n";
    assert_eq!((text.as_str(), skipped.len()), (expected, 0));
    assert_eq!(made(&files).expect("made again").0, text);
}

#[test]
fn the_older_list_and_tables_with_other_columns_are_read_by_name() {
    let files = Files::default()
        .with("list", "email,full_name,course_id,is_opted_in_for_email,preference_set_datetime\na@x,A,c,True,t\n")
        .with("A-user", "email\tnew\tid\na@x\t\t5\n")
        .with("A-profile", "gender\tuser_id\tname\nf\t5\tNULL\nm\t5\tA\n")
        .with("B-profile", "id\tname\n5\tNobody\n")
        .with("B-user", "");
    let (text, skipped) = made(&files).expect("made");
    assert_eq!(text, "mail,name,gender,year_of_birth,country\r\na@x,,f,,\r\n");
    assert_eq!(skipped, ["B-user", "B-profile"]);
}

#[test]
fn what_cannot_be_read_is_left_out_but_a_lack_of_every_key_and_passing_trouble_fail() {
    let list = || Files::default().with("list", "email,is_opted_in_for_email\r\na@x,True\r\n");
    let (text, skipped) = made(&list().broken("A-user", ErrorKind::Corrupt)).expect("made");
    assert_eq!(text, "mail,name,gender,year_of_birth,country\r\na@x,,,,\r\n");
    assert_eq!(skipped, ["A-user", "B-user", "A-profile", "B-profile"]);
    let one_key = list().with("A-user", "id\temail\n").broken("B-user", ErrorKind::NoSecretKey);
    assert_eq!(made(&one_key).expect("made").1, ["B-user", "A-profile", "B-profile"]);
    for (name, kind) in [
        ("A-profile", ErrorKind::NoSecretKey),
        ("B-user", ErrorKind::Unreachable),
        ("A-profile", ErrorKind::TimedOut),
        ("list", ErrorKind::NotFound),
        ("list", ErrorKind::Corrupt),
    ] {
        let error = made(&list().broken(name, kind)).expect_err(name);
        assert_eq!(error.kind(), kind, "{name}");
    }
}

#[test]
fn a_list_without_its_columns_or_with_an_endless_row_is_corrupt() {
    for list in ["", "email,full_name\r\na@x,A\r\n", "user_id\temail\tis_opted_in_for_email\n"] {
        let error = made(&Files::default().with("list", list)).expect_err("no list");
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, Some("list")), "{list}");
    }
    let endless = format!("email,is_opted_in_for_email\r\na@x,\"{}", "True\r\n".repeat(12 << 20));
    let error = made(&Files::default().with("list", &endless)).expect_err("a quote is never closed");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
