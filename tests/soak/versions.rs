//! The objects that change under the soak, with what they hold in each version: days from packages of other seeds, and a
//! weekly zip with another table in it, all encrypted by GnuPG for the same key.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use edxfs::demo::{Compression, Made, Plan};

use crate::common::{package, run};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::model::{File, Form, ObjectNumber};
use crate::truth::{DAYS, Truth, courses_of, day_key, plain_day};

pub const EVENTS: &str = "edx-course-data";
pub const SNAPSHOTS: &str = "course-data";
const ZIP: &str = "unix-2015-03-08";
const TABLE: &str = "student_courseenrollment";
/// Seeds of the packages whose days take turns; the first is what the site begins with.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// An object, and its bytes in each version.
pub struct Object {
    pub bucket: &'static str,
    pub key: String,
    pub versions: Vec<Vec<u8>>,
    /// The path that shows most directly which version the mount is at.
    pub sign: String,
}

pub struct Cast {
    pub made: Made,
    pub objects: Vec<Object>,
    pub files: Vec<File>,
}

impl Cast {
    pub fn prepare() -> Cast {
        let packages = SEEDS.map(|seed| {
            let plan = Plan { seed, days: 5, events_per_day: 1500, courses: 5, packages: 0, ..Plan::default() };
            let plan = Plan { compression: Compression::Fast, packages: u32::from(seed == SEEDS[0]), ..plan };
            package(&format!("soak{seed}"), plan)
        });
        let keyring = Keyring::of(&packages[0]);
        let mut cast = Cast { made: packages[0].clone(), objects: Vec::new(), files: Vec::new() };
        DAYS.iter().for_each(|date| cast.add_day(date, &packages, &keyring));
        cast.add_zip(&keyring);
        cast
    }

    fn add_day(&mut self, date: &str, packages: &[Made], keyring: &Keyring) {
        let number = ObjectNumber(self.objects.len());
        let plains: Vec<_> =
            packages.iter().map(|made| fs::read(plain_day(made, date)).expect("a plain day")).collect();
        let first = fs::read(self.made.data.join(EVENTS).join(day_key(date))).expect("an object");
        let others = plains[1..].iter().map(|plain| keyring.encrypt(Reader::Czar, &gzipped(plain)));
        let versions = std::iter::once(first).chain(others).collect();
        let sign = format!("events/all/{date}.log");
        let packed = format!("edx-course-data/edx/events/2015/unix-edx-events-{date}.log.gz");
        self.add_file(&sign, number, plains.clone(), Form::Plain);
        self.add_file(&packed, number, plains, Form::Gzipped);
        self.objects.push(Object { bucket: EVENTS, key: day_key(date), versions, sign });
        let truths: Vec<_> = packages.iter().map(|made| Truth::of(made, date)).collect();
        for (folder, id) in courses_of(&self.made) {
            let contents: Vec<_> = truths.iter().map(|truth| truth.course(&id)).collect();
            // A day without events of a course is not listed, once that is known.
            if contents.iter().all(|content| !content.is_empty()) {
                let window = format!("courses/{folder}/between/{date}_{date}/events/{date}.log");
                self.add_file(&format!("courses/{folder}/events/{date}.log"), number, contents.clone(), Form::Plain);
                self.add_file(&window, number, contents, Form::Plain);
            }
        }
    }

    fn add_zip(&mut self, keyring: &Keyring) {
        let number = ObjectNumber(self.objects.len());
        let plain = self.made.plain.as_ref().expect("the package keeps its plain texts").join("course-data");
        let (folder, _) = courses_of(&self.made)[0].clone();
        let entry = |table: &str| format!("{ZIP}/{folder}-{table}-prod-analytics.sql");
        let text = |table: &str| fs::read(plain.join(ZIP).join(entry(table))).expect("a plain table");
        let (before, mut after) = (text(TABLE), text(TABLE));
        let row = before.split_inclusive(|byte| *byte == b'\n').next_back().expect("it has rows");
        after.extend_from_slice(row);
        let first = fs::read(self.made.data.join(SNAPSHOTS).join(format!("{ZIP}.zip"))).expect("a zip");
        let other = with_entry(&first, &format!("{}.gpg", entry(TABLE)), &keyring.encrypt(Reader::Czar, &after));
        let sign = format!("courses/{folder}/tables/{TABLE}.tsv");
        self.add_file(&sign, number, vec![before, after], Form::Plain);
        for same in ["auth_user", "courseware_studentmodule"] {
            let path = format!("courses/{folder}/tables/{same}.tsv");
            self.add_file(&path, number, vec![text(same), text(same)], Form::Plain);
        }
        self.objects.push(Object { bucket: SNAPSHOTS, key: format!("{ZIP}.zip"), versions: vec![first, other], sign });
    }

    fn add_file(&mut self, path: &str, object: ObjectNumber, contents: Vec<Vec<u8>>, form: Form) {
        let contents = contents.into_iter().map(Arc::from).collect();
        self.files.push(File { path: path.to_owned(), object, contents, form });
    }
}

/// The zip with another content of one entry, as `zip` makes it.
fn with_entry(zip: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let path = scratch.path().join(name);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
    fs::write(&path, content).expect("a file can be made");
    fs::write(scratch.path().join("package.zip"), zip).expect("a file can be made");
    run(Command::new("zip").current_dir(scratch.path()).args(["-q", "package.zip"]).arg(Path::new(name)));
    fs::read(scratch.path().join("package.zip")).expect("the zip is there")
}
