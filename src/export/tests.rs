use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::control::Opened;
use crate::engine::size::Size;
use crate::error::ErrorKind;

/// A tree in memory: paths of files, each with its content.
#[derive(Default)]
struct Planted {
    files: BTreeMap<String, Vec<u8>>,
    /// The file whose reader fails after half of it.
    broken: Option<String>,
    /// Files that their folder no longer lists once they have been opened.
    vanishing: Vec<String>,
    /// Files that are listed only once another has been opened.
    late: BTreeMap<String, String>,
    /// Files of no object, like `info.txt`.
    pages: Vec<String>,
    opened: RefCell<Vec<String>>,
}

impl Planted {
    fn of(paths: &[&str]) -> Planted {
        let files = paths.iter().map(|path| ((*path).to_owned(), path.as_bytes().to_vec())).collect();
        Planted { files, ..Planted::default() }
    }

    fn file(&self, path: &str) -> Result<Item> {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let is_folder = path.is_empty() || self.files.keys().any(|file| file.starts_with(&format!("{path}/")));
        let known = self.opened.borrow().iter().any(|opened| opened == path);
        let size = match self.files.get(path) {
            Some(content) if known => Some(Size::Exact(content.len() as u64)),
            Some(_) => Some(Size::StandIn(4096)),
            None if is_folder => None,
            None => return Err(Error::not_found("no such file or directory").about(path)),
        };
        Ok(Item { name, size, modified: time() })
    }
}

fn time() -> Timestamp {
    Timestamp::new(1_425_427_200, 123_456_000).expect("a time in 2015")
}

impl Tree for Planted {
    fn item(&self, path: &str) -> Result<Item> {
        self.file(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<Item>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<&str> = below.map(|rest| rest.split('/').next().unwrap_or_default()).collect();
        names.dedup();
        let gone = |path: &String| self.vanishing.contains(path) && self.opened.borrow().contains(path);
        let known = |path: &String| self.late.get(path).is_none_or(|by| self.opened.borrow().contains(by));
        let paths = names.into_iter().map(|name| format!("{prefix}{name}")).filter(|path| !gone(path) && known(path));
        paths.map(|path| self.file(&path)).collect()
    }

    fn origin(&self, path: &str) -> Result<Origin> {
        let is_page = self.pages.iter().any(|page| page == path);
        let of_object = Origin { source: path.to_owned(), etag: "\"1\"".to_owned() };
        Ok(if is_page { Origin { source: String::new(), etag: String::new() } } else { of_object })
    }

    fn open(&self, path: &str) -> Result<Contents> {
        let content = self.files.get(path).ok_or_else(|| Error::not_found("no such file or directory"))?.clone();
        self.opened.borrow_mut().push(path.to_owned());
        let Origin { source, etag } = self.origin(path)?;
        let opened = Opened { bytes: content.len() as u64, modified: time(), source, etag };
        let half = content.len() / 2;
        let reader: Box<dyn Read + Send> = match self.broken.as_deref() == Some(path) {
            true => Box::new(Cursor::new(content[..half].to_vec()).chain(Broken)),
            false => Box::new(Cursor::new(content)),
        };
        Ok(Contents { opened, reader })
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(Error::corrupt("a chunk is damaged").into())
    }
}

/// Stops after so many bytes.
struct Patience(Cell<u64>);

impl Watcher for Patience {
    fn wants_stop(&self) -> bool {
        self.0.get() == 0
    }

    fn copied(&self, bytes: u64) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }

    fn passed(&self, _: &Totals) {}

    fn failed(&self, _: &str, _: &Error) {}
}

fn forever() -> Patience {
    Patience(Cell::new(u64::MAX))
}

fn selection(paths: &[&str]) -> Selection {
    Selection::of(paths.iter().map(|path| (*path).to_owned()).collect())
}

fn written(tree: &Planted, paths: &[&str]) -> Result<(Vec<u8>, Totals)> {
    archive::write(tree, &selection(paths), Vec::new(), &forever()).expect("there is room")
}

/// Paths and sizes in the tar of a selection, folders and manifest included.
fn archived(tree: &Planted, paths: &[&str]) -> Vec<(String, u64)> {
    let (tar, _) = written(tree, paths).expect("all is readable");
    let mut tar = tar::Archive::new(&tar[..]);
    let entry = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let entry = entry.expect("an entry");
        (String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8"), entry.size())
    };
    tar.entries().expect("a tar").map(entry).collect()
}

#[test]
fn the_order_is_that_of_whole_paths_with_a_slash_behind_folders() {
    let tree = Planted::of(&["a/b/c", "a-b", "a.b", "a/b.c", "a/b", "ab", "a@/x", "a/b-c/d"].map(|path| path));
    let tree = Planted { files: tree.files.into_iter().filter(|(path, _)| path != "a/b").collect(), ..tree };
    let found = archived(&tree, &[""]);
    let names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    let expected =
        ["a-b", "a.b", "a/", "a/b-c/", "a/b-c/d", "a/b.c", "a/b/", "a/b/c", "a@/", "a@/x", "ab", "MANIFEST.tsv"];
    assert_eq!(names, expected);
    assert!(names[..names.len() - 1].is_sorted());
}

#[test]
fn what_turns_out_to_hold_nothing_and_is_no_longer_listed_is_not_there_unless_it_was_named() {
    let mut tree = Planted::of(&["days/1", "days/2", "days/3"]);
    tree.vanishing = vec!["days/2".to_owned()];
    let names = |paths: &[&str]| -> Vec<String> {
        tree.opened.borrow_mut().clear();
        archived(&tree, paths).into_iter().map(|(path, _)| path).collect()
    };
    assert_eq!(names(&["days"]), ["days/", "days/1", "days/3", "MANIFEST.tsv"]);
    assert_eq!(names(&["days/2", "days/3"]), ["days/", "days/2", "days/3", "MANIFEST.tsv"]);
}

#[test]
fn names_that_become_known_by_what_is_opened_are_met_and_too_late_an_archive_is_begun_anew() {
    let late = |name: &str, by: &str| {
        let late = BTreeMap::from([(name.to_owned(), by.to_owned())]);
        Planted { late, ..Planted::of(&["f/a/1", "f/b", "f/c/1", "f/d"]) }
    };
    let all = ["f/", "f/a/", "f/a/1", "f/b", "f/c/", "f/c/1", "f/d", "MANIFEST.tsv"];
    for (name, by) in [("f/b", "f/a/1"), ("f/d", "f/c/1"), ("f/d", "f/b")] {
        let found: Vec<String> = archived(&late(name, by), &["f"]).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, all, "{name} by {by}");
    }
    for (name, by) in [("f/b", "f/c/1"), ("f/b", "f/d")] {
        let tree = late(name, by);
        assert_eq!(written(&tree, &["f"]).expect_err("it is too late").kind(), ErrorKind::Changed);
        let found: Vec<String> = archived(&tree, &["f"]).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, all, "{name} by {by}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let totals = into_folder(&late(name, by), &selection(&["f"]), folder.path(), &forever()).expect("it is ours");
        assert_eq!(totals.copied, 4, "{name} by {by}");
    }
}

#[test]
fn long_names_and_those_that_are_not_ascii_and_parts_of_seconds_are_kept() {
    let long = format!("{}/{}/{}.tsv", "f".repeat(120), "g".repeat(130), "h".repeat(110));
    let tree = Planted::of(&["kurs/åäö.tsv", &long, "x"]);
    let (tar, _) = written(&tree, &[""]).expect("all is readable");
    let mut archive = tar::Archive::new(&tar[..]);
    let mut seen = BTreeMap::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        assert!(entry.header().as_ustar().is_some(), "no GNU forms");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8");
        let extensions = entry.pax_extensions().expect("they parse").expect("all have a part of a second");
        let mtime = extensions.flatten().find(|extension| extension.key() == Ok("mtime"));
        assert_eq!(mtime.map(|mtime| mtime.value().expect("UTF-8").to_owned()), Some("1425427200.123456".to_owned()));
        seen.insert(path, content);
    }
    for path in tree.files.keys() {
        assert_eq!(seen[path], path.as_bytes(), "{path}");
    }
}

#[test]
fn a_file_that_fails_in_its_middle_ends_an_archive_and_only_itself_a_folder() {
    let tree = Planted { broken: Some("b".to_owned()), ..Planted::of(&["a", "b", "c"]) };
    let tree = Planted { files: tree.files.into_keys().map(|path| (path.clone(), vec![7; 1000])).collect(), ..tree };
    let error = written(&tree, &[""]).expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with("b: a chunk is damaged; "), "{error}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let totals = into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the folder can be written");
    assert_eq!(totals, Totals { copied: 2, copied_bytes: 2000, right: 0, failed: 1 });
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(folder.path()), ["MANIFEST.tsv", "a", "c"]);
}

#[test]
fn a_stop_in_the_middle_of_a_file_leaves_what_was_complete() {
    let tree = Planted::of(&["a", "b", "c"]);
    let tree = Planted { files: tree.files.into_keys().map(|path| (path, vec![7; 1 << 20])).collect(), ..tree };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stopped = into_folder(&tree, &selection(&[""]), folder.path(), &Patience(Cell::new(3 << 19)));
    assert_eq!(stopped.expect_err("it was stopped").kind(), ErrorKind::Interrupted);
    assert!(folder.path().join("a").exists() && !folder.path().join("b").exists());
    assert!(!folder.path().join(".edxfs-export.part").exists());
    let totals = into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("it goes on");
    assert_eq!((totals.copied, totals.right), (2, 1));
    assert_eq!(tree.opened.borrow().iter().filter(|path| *path == "a").count(), 1, "what is right is not opened");
}

#[test]
fn a_page_that_says_something_else_in_as_many_bytes_is_replaced() {
    let mut tree = Planted { pages: vec!["info.txt".to_owned()], ..Planted::of(&["info.txt", "x"]) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let export = |tree: &Planted| into_folder(tree, &selection(&[""]), folder.path(), &forever()).expect("it is ours");
    assert_eq!((export(&tree).copied, export(&tree).right), (2, 2));
    tree.files.insert("info.txt".to_owned(), b"INFO.TXT".to_vec());
    let totals = export(&tree);
    assert_eq!((totals.copied, totals.right), (1, 1));
    assert_eq!(std::fs::read(folder.path().join("info.txt")).expect("it was copied"), b"INFO.TXT");
}

#[test]
fn a_name_that_the_disk_does_not_take_fails_alone() {
    let long = "l".repeat(256);
    let paths = ["a", &long, &format!("{long}/x"), "f/y", &"m".repeat(255), "z"];
    let files = paths.iter().map(|path| ((*path).to_owned(), b"content".to_vec()));
    let tree = Planted { files: files.filter(|(path, _)| *path != long).collect(), ..Planted::default() };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let totals = into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the rest goes on");
    assert_eq!((totals.copied, totals.failed), (4, 1));
    let tree = Planted::of(&["a", &long, "z"]);
    let totals = into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the rest goes on");
    assert_eq!(totals.failed, 1);
    let manifest = std::fs::read_to_string(folder.path().join("MANIFEST.tsv")).expect("there is one");
    assert!(manifest.lines().any(|line| line.starts_with(&long) && line.contains("takes no such name")), "{manifest}");
}

#[test]
fn a_disk_that_rounds_times_does_not_make_files_others() {
    let tree = Planted::of(&["a"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let export = || into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the folder is ours");
    let copy = std::fs::File::options();
    for (seconds_off, copied) in [(0, 1), (1, 0), (3, 1)] {
        if seconds_off > 0 {
            let file = copy.clone().write(true).open(folder.path().join("a")).expect("it was copied");
            file.set_modified(std::time::SystemTime::from(time()) + std::time::Duration::from_secs(seconds_off))
                .expect("it is ours");
        }
        assert_eq!(export().copied, copied, "{seconds_off} s off");
    }
}

#[test]
fn what_lies_beside_a_file_with_part_behind_its_name_is_left_alone() {
    let tree = Planted::of(&["a", "a.part"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("b.part"), "somebody's own").expect("it is ours");
    into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the folder is ours");
    assert_eq!(std::fs::read(folder.path().join("a.part")).expect("it was copied"), b"a.part");
    assert_eq!(std::fs::read(folder.path().join("b.part")).expect("nobody took it"), b"somebody's own");
}

#[test]
fn an_archive_that_another_export_is_writing_is_left_to_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.tar.gpg");
    let mut first = ArchiveFile::begin(&path).expect("nothing is there");
    first.write_all(b"the first's").expect("there is room");
    let error = ArchiveFile::begin(&path).map(drop).expect_err("the first has it");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("another export is writing it"), "{error}");
    first.finish().expect("it still has it");
    assert_eq!(std::fs::read(&path).expect("it is complete"), b"the first's");
    // One that was killed has left its part, and nobody holds it.
    let path = folder.path().join("y.tar.gpg");
    let part = folder.path().join("y.tar.gpg.part");
    std::fs::write(&part, "half").expect("it is ours");
    let begun = ArchiveFile::begin(&path).expect("nobody is writing it");
    // Somebody takes it away: it is not his file that gets the name.
    std::fs::remove_file(&part).expect("it is there");
    std::fs::write(&part, "somebody's own").expect("it is ours");
    assert!(begun.finish().is_err());
    assert!(!path.exists() && std::fs::read(&part).expect("nobody took it") == b"somebody's own");
}

#[test]
fn a_folder_that_lists_a_name_that_leads_elsewhere_is_not_walked_through() {
    for path in ["a/../b", "./x"] {
        let tree = Planted::of(&[path]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let totals = into_folder(&tree, &selection(&[""]), folder.path(), &forever()).expect("the folder is ours");
        assert_eq!((totals.copied, totals.failed), (0, 1), "{path}");
    }
}

proptest! {
    /// Names of two letters collide often.
    #[test]
    fn both_forms_have_the_same_files_once_and_in_order(
        paths in prop::collection::btree_set("[a.]?b(/[a-]b?){0,3}", 1..12),
        picked in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let is_folder = |path: &String| paths.iter().any(|other| other.starts_with(&format!("{path}/")));
        let files: Vec<&str> = paths.iter().filter(|path| !is_folder(path)).map(String::as_str).collect();
        let tree = Planted::of(&files);
        let picked: Vec<&str> = picked.iter().map(|index| files[index.index(files.len())]).collect();
        let picked: Vec<&str> = picked.iter().map(|path| path.split('/').next().unwrap_or_default()).collect();
        let archived: Vec<String> = archived(&tree, &picked).into_iter().map(|(path, _)| path).collect();
        prop_assert!(archived[..archived.len() - 1].is_sorted_by(|a, b| a < b), "{:?}", archived);
        let wanted = |path: &&str| picked.iter().any(|top| *path == *top || path.starts_with(&format!("{top}/")));
        let expected: Vec<&str> = files.iter().copied().filter(wanted).collect();
        let found: Vec<&str> =
            archived[..archived.len() - 1].iter().map(String::as_str).filter(|path| !path.ends_with('/')).collect();
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        prop_assert_eq!(&found, &sorted);

        let folder = tempfile::tempdir().expect("a temporary folder");
        into_folder(&tree, &selection(&picked), folder.path(), &forever()).expect("all is readable");
        let manifest = std::fs::read_to_string(folder.path().join("MANIFEST.tsv")).expect("it is there");
        let lines: Vec<&str> = manifest.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
        prop_assert_eq!(&lines, &sorted);
        for path in sorted {
            prop_assert_eq!(std::fs::read(folder.path().join(path)).expect("copied"), path.as_bytes());
        }
    }
}
