//! What a reader of a whole mount meets: each path's content or errno, and how that differs from what was expected.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use edxfs::demo::Made;

use crate::common::{Mount, folder_options, small_package};

/// Read side by side: requests wait for decodes.
const READERS: usize = 4;

/// What opening and reading one file, or listing one folder, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Folder,
    /// Digest and number of bytes.
    Content(blake3::Hash, u64),
    Errno(i32),
}

impl Met {
    pub fn bytes(bytes: &[u8]) -> Met {
        Met::Content(blake3::hash(bytes), bytes.len() as u64)
    }

    fn is_empty(self) -> bool {
        matches!(self, Met::Content(_, 0))
    }
}

pub type Tree = BTreeMap<String, Met>;

/// What a path should come to, compared with the tree of the undamaged package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    Right,
    /// Some content.
    Anything,
    /// As this path of the undamaged tree.
    As(String),
    Bytes(Met),
    Errno(i32),
    /// Not listed.
    Gone,
}

/// The day that is read first, so that of two courses with one prefix it is always the same that is recorded first.
pub const FIRST_DAY: &str = "2015-03-02";

/// Reads everything below `root` but the pages, which tell of the mount itself.
pub fn read_tree(mount: &Mount, root: &str) -> Tree {
    let _ = mount.read(&format!("events/unattributed/{FIRST_DAY}.log"));
    let mut tree = Tree::new();
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        match fs::read_dir(mount.path(&folder)) {
            Ok(entries) => {
                tree.insert(folder.clone(), Met::Folder);
                for entry in entries {
                    let entry = entry.expect("an entry");
                    let name = entry.file_name().into_string().expect("UTF-8");
                    let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                    match entry.file_type().expect("a type") {
                        kind if kind.is_dir() => folders.push(path),
                        _ if is_page(&name) => {}
                        _ => files.push(path),
                    }
                }
            }
            Err(error) => drop(tree.insert(folder, Met::Errno(error.raw_os_error().unwrap_or(0)))),
        }
    }
    files.sort();
    tree.extend(read_files(mount, &files));
    tree
}

pub fn read_files(mount: &Mount, files: &[String]) -> Tree {
    let next = AtomicUsize::new(0);
    let tree = Mutex::new(Tree::new());
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let met = read(&mount.path(path));
                    tree.lock().expect("no reader panics").insert(path.clone(), met);
                }
            });
        }
    });
    tree.into_inner().expect("no reader panics")
}

/// Of a course's gzipped event file what is in it.
pub fn read(path: &Path) -> Met {
    let is_packed = path.extension().is_some_and(|suffix| suffix == "gz") && path.iter().any(|name| name == RUN_DATA);
    match fs::read(path) {
        Ok(bytes) if is_packed && path.to_string_lossy().ends_with(".log.gz") => Met::bytes(&gunzipped(&bytes)),
        Ok(bytes) => Met::bytes(&bytes),
        Err(error) => Met::Errno(error.raw_os_error().unwrap_or(0)),
    }
}

fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("what was made is whole");
    plain
}

const RUN_DATA: &str = "course-run-data";

/// Whether a path shows what is made of several objects: of a course's days and tables. What becomes of it depends on
/// all of them, so it is compared with a tree of the same objects: see `assert_joined`.
pub fn is_joined(path: &str) -> bool {
    let mut names = path.rsplit('/');
    let name = names.next().unwrap_or_default();
    let is_below = |folder: &str| path.split('/').any(|name| name == folder);
    name == "samced.db"
        || is_below("samced")
        || is_below("reports")
        || (is_below(RUN_DATA) && (name.ends_with(".csv") || name == "errors.txt"))
}

fn is_page(name: &str) -> bool {
    matches!(name, "README.txt" | "courses.tsv" | "problems.tsv" | "info.txt")
}

/// The tree of the small package, whole; `tests/mount.rs` shows that it is right.
pub fn undamaged() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| {
        let mount = Mount::start(&quiet(folder_options(&small_package())));
        read_tree(&mount, "")
    })
}

/// Options for a mount that does nothing unasked.
pub fn quiet(mut options: Vec<String>) -> Vec<String> {
    options.extend(["--index", "off", "--refresh", "1h"].map(str::to_owned));
    options
}

/// Fails the test with every path below `root` that is not as expected; of what is joined, it must open or be EIO.
///
/// A day that holds nothing of a course leaves the listing once that is known, so empty event files may come and go.
pub fn assert_tree(found: &Tree, root: &str, expect: impl Fn(&str) -> Expect) {
    let refused = |met: &Met| matches!(met, Met::Errno(errno) if *errno != libc::EIO);
    let strange: Vec<_> = found.iter().filter(|(path, met)| is_joined(path) && refused(met)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    compare(undamaged(), found, |path| is_below(path, root) && !is_joined(path), expect);
}

/// Fails the test with every path that is joined and not as expected, `reference` being right.
///
/// A problem's table is listed once the database is known.
pub fn assert_joined(reference: &Tree, found: &Tree, expect: impl Fn(&str) -> Expect) {
    assert!(reference.keys().any(|path| is_joined(path)), "nothing is compared");
    compare(reference, found, is_joined, expect);
}

fn compare(reference: &Tree, found: &Tree, is_meant: impl Fn(&str) -> bool, expect: impl Fn(&str) -> Expect) {
    let mut wrong = Vec::new();
    for path in reference.keys().chain(found.keys()).filter(|path| is_meant(path)) {
        let wanted = match expect(path) {
            Expect::Right => reference.get(path).copied(),
            Expect::Anything => found.get(path).copied().filter(|met| matches!(met, Met::Content(..))),
            Expect::As(other) => reference.get(&other).copied(),
            Expect::Bytes(met) => Some(met),
            Expect::Errno(errno) => Some(Met::Errno(errno)),
            Expect::Gone => None,
        };
        let met = found.get(path).copied();
        let may_be_empty = path.contains("events/") && met.or(wanted).is_some_and(Met::is_empty);
        let may_be_absent = may_be_empty || path.contains("/samced/SAMCED-problem_");
        if met != wanted && !(may_be_absent && (met.is_none() || wanted.is_none())) {
            wrong.push(format!("{path}: {met:?}, not {wanted:?}"));
        }
    }
    wrong.dedup();
    let shown = wrong.len().min(40);
    assert!(wrong.is_empty(), "{} paths are not as expected:\n{}", wrong.len(), wrong[..shown].join("\n"));
}

fn is_below(path: &str, root: &str) -> bool {
    root.is_empty() || path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

/// One line of problems.tsv: object, entry, what, errno, what to do.
#[derive(Clone, Debug)]
pub struct Problem {
    pub object: String,
    pub entry: String,
    pub what: String,
    pub errno: String,
    pub what_to_do: String,
}

pub fn problems(mount: &Mount) -> Vec<Problem> {
    let text = String::from_utf8(mount.read("problems.tsv").expect("problems.tsv")).expect("UTF-8");
    let lines = text.lines().skip(1).map(|line| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [object, entry, what, _count, errno, what_to_do] =
            <[String; 6]>::try_from(cells).unwrap_or_else(|cells| panic!("{cells:?}"));
        Problem { object, entry, what, errno, what_to_do }
    });
    lines.collect()
}

/// Fails unless problems.tsv and the log name the object, the errno, and what to do.
pub fn assert_told(mount: &Mount, object: &str, entry: &str, errno: &str) -> Problem {
    let all = problems(mount);
    let about = |problem: &&Problem| problem.object == object && problem.entry == entry && problem.errno == errno;
    let told = all.iter().find(about).unwrap_or_else(|| panic!("nothing of {object} {entry} in {all:#?}"));
    assert!(!told.what.is_empty() && !told.what_to_do.is_empty(), "{told:?}");
    assert!(mount.log().contains(object), "{object} is not in the log:\n{}", mount.log());
    told.clone()
}

/// Inode and size, as `stat` tells them.
pub fn stat(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.ino(), metadata.len()))
}

/// Leaves of a copied package only the days named and the two weekly zips.
pub fn keep_days(made: &Made, days: &[&str]) {
    for site in ["edx", "edge"] {
        let folder = made.data.join(format!("edx-course-data/unix/{site}/events/2015"));
        for entry in fs::read_dir(&folder).expect("the days") {
            let path = entry.expect("an entry").path();
            if !days.iter().any(|day| path.to_string_lossy().contains(day)) {
                fs::remove_file(path).expect("a day goes");
            }
        }
    }
}
