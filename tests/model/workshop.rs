//! Makes the objects of a world with GnuPG, gzip and Python's zipfile, and remembers what went in.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::gnupg_home::GnupgHome;

use super::naive::{COURSES, Course, Day, HEADER, Line, Site, Week, World};

/// Numbers that look random and come again with their seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }

    pub fn of<T: Clone>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len())].clone()
    }
}

/// How the objects of a history are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As a mirror that was decrypted: no process but now and then gzip has to run.
    Mirror,
    Package,
}

/// A GnuPG home with one key, which every cache here needs in order to last.
pub struct Key {
    home: GnupgHome,
}

impl Key {
    pub fn make() -> Key {
        let key = Key { home: GnupgHome::new() };
        let parameters = "%no-protection\nKey-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n\
                          Name-Email: czar@unix.example.org\n%commit\n";
        key.gpg(&["--gen-key"], parameters.as_bytes());
        fs::write(key.secret(), key.gpg(&["--export-secret-keys"], b"")).expect("a file");
        key
    }

    pub fn secret(&self) -> PathBuf {
        self.home.path().join("secret.gpg")
    }

    fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        self.gpg(&["--encrypt", "--recipient", "czar@unix.example.org", "--always-trust"], plain)
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        through(self.home.gpg().args(["--batch", "--passphrase", ""]).args(arguments), input)
    }
}

fn through(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (mut stdin, input) = (child.stdin.take().expect("piped"), input.to_vec());
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("a child can be waited for");
    feeder.join().expect("no panic").expect("all is read");
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

/// A folder of objects as they are now, whether or not anybody has listed them.
pub struct Workshop<'k> {
    pub data: tempfile::TempDir,
    pub world: World,
    pub coding: Coding,
    key: &'k Key,
    versions: u32,
}

impl<'k> Workshop<'k> {
    pub fn new(key: &'k Key, coding: Coding) -> Workshop<'k> {
        let data = tempfile::tempdir().expect("a temporary folder");
        Workshop { data, world: World::default(), coding, key, versions: 0 }
    }

    /// Adds a day, or replaces its object.
    pub fn put_day(&mut self, site: Site, date: &str, lines: Vec<Line>, dice: &mut Dice) {
        let plain: Vec<u8> = lines.iter().flat_map(|line| line.bytes.clone()).collect();
        let (layers, suffix) = match self.coding {
            Coding::Package => ("gpg gz", ".gz.gpg"),
            Coding::Mirror => dice.of(&[("", ""), ("gz", ".gz")]),
        };
        let packed = if layers.ends_with("gz") { through(Command::new("gzip").arg("-c"), &plain) } else { plain };
        let object = if layers.starts_with("gpg") { self.key.encrypt(&packed) } else { packed.clone() };
        let token = if site.is_empty() { "edx" } else { "edge" };
        let name = format!("{token}/events/{}/unix-{token}-events-{date}.log{suffix}", &date[..4]);
        self.delete_day(site, date);
        self.write(&name, &object);
        let day = Day { version: self.next_version(), lines, packed, object: name, layers };
        self.world.days.insert((site, date.to_owned()), day);
    }

    pub fn delete_day(&mut self, site: Site, date: &str) {
        if let Some(day) = self.world.days.remove(&(site, date.to_owned())) {
            fs::remove_file(self.data.path().join(day.object)).expect("it was there");
        }
    }

    /// Adds or replaces the weekly package with a table for each of `courses`.
    pub fn put_week(&mut self, date: &str, courses: &[(Course, Site)], dice: &mut Dice) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut rows = std::collections::BTreeMap::new();
        for &(course, site) in courses {
            let text: String = (0..dice.below(20)).map(|row| format!("{row}\tuser{}\n", dice.below(1000))).collect();
            let plain = format!("{HEADER}{text}");
            let site_name = if site.is_empty() { "prod" } else { "prod-edge" };
            let name = format!("{}-auth_user-{site_name}-analytics.sql", COURSES[course].1);
            let (name, bytes) = match self.coding {
                Coding::Mirror => (name, plain.into_bytes()),
                Coding::Package => (format!("{name}.gpg"), self.key.encrypt(plain.as_bytes())),
            };
            fs::write(folder.path().join(name), bytes).expect("a file");
            rows.insert(format!("{}{site}", COURSES[course].1), text);
        }
        let zip = folder.path().join("package.zip");
        let script = "import os, sys, zipfile\n\
                      with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as z:\n \
                      [z.write(os.path.join(sys.argv[1], n), sys.argv[3] + '/' + n) \
                      for n in sorted(os.listdir(sys.argv[1])) if '.sql' in n]";
        let inside = format!("unix-{date}");
        through(Command::new("python3").args(["-c", script]).arg(folder.path()).arg(&zip).arg(&inside), b"");
        self.delete_week(date);
        self.write(&format!("course-data/unix-{date}.zip"), &fs::read(zip).expect("python3 made it"));
        let week = Week { version: self.next_version(), rows };
        self.world.weeks.insert(date.to_owned(), week);
    }

    pub fn delete_week(&mut self, date: &str) {
        if self.world.weeks.remove(date).is_some() {
            fs::remove_file(self.data.path().join(format!("course-data/unix-{date}.zip"))).expect("it was there");
        }
    }

    fn next_version(&mut self) -> u32 {
        self.versions += 1;
        self.versions
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.data.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        // Under a hidden name first, as `aws s3 sync` does: no listing meets half an object.
        let part = path.with_file_name(".part");
        fs::write(&part, bytes).expect("a file");
        fs::rename(part, path).expect("the same folder");
    }
}

/// A line of each kind that the contract tells apart; its truth is known because it is built from it.
pub fn line(dice: &mut Dice) -> Line {
    let (course, other) = (dice.below(COURSES.len()), dice.below(COURSES.len()));
    let (id, other_id) = (COURSES[course].0, COURSES[other].0);
    // Of digits, so that no log is smaller than any likely one.
    let length = if dice.below(40) == 0 { 20_000 } else { dice.below(200) };
    let filler: String = (0..length).map(|_| dice.of(&['0', '1', '2', '3', '5', '7', '9', 'f'])).collect();
    let browser = |rest: &str| {
        format!(r#"{{"event_source": "browser", "page": "https://x.org/courses/{id}/info", "f": "{filler}"{rest}}}"#)
    };
    // Some courses are never stated, so that their lines have to wait for a folder.
    let shy = course >= 3;
    let (text, course, stated) = match dice.below(10) {
        0..=2 if !shy => {
            (format!(r#"{{"f": "{filler}", "context": {{"course_id": "{id}"}}}}"#), Some(course), vec![course])
        }
        3 if !shy => {
            let event = format!(r#", "event": {{"course_id": "{other_id}"}}"#);
            let stated = if other < 3 { Some(other) } else { None };
            match stated {
                Some(other) => (browser(&event), Some(course), vec![other]),
                None => (browser(r#", "event": {"course_id": 7}"#), Some(course), vec![]),
            }
        }
        4 if !shy => {
            let event = format!(r#"{{"f": "{filler}", "event": "{{\"course_id\": \"{id}\"}}", "context": {{}}}}"#);
            (event, Some(course), vec![course])
        }
        5 => (format!(r#"{{"f": "{filler}", "context": {{"course_id": ""}}}}"#), None, vec![]),
        6 => (format!(r#"{{"f": "{filler}", "context": {{"course_id": "{id}"}}"#), None, vec![]),
        7 => (format!("Jan  1 {filler}"), None, vec![]),
        8 => (String::new(), None, vec![]),
        _ => (browser(""), Some(course), vec![]),
    };
    let end = if dice.below(5) == 0 { "\r\n" } else { "\n" };
    Line { bytes: format!("{text}{end}").into_bytes(), course, stated }
}

pub fn lines(dice: &mut Dice) -> Vec<Line> {
    let mut lines: Vec<_> = (0..dice.below(30)).map(|_| line(dice)).collect();
    if let Some(last) = lines.last_mut().filter(|_| dice.below(3) == 0) {
        // The last line may lack its line end; one that would then be nothing at all is no line.
        while last.bytes.len() > 1 && last.bytes.ends_with(b"\n") {
            last.bytes.pop();
        }
    }
    lines
}
