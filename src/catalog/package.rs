//! The members of one weekly package, opt-in list or tracking tar, however they lie in the source.
//!
//! A package of ten thousand entries comes every week for years, so a member is kept as an index into the directory
//! that the caller has anyway, and is spelled out when it is asked for.

use std::cmp::{Ordering, Reverse};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::problem::Problem;
use crate::decode::Layers;
use crate::decode::zip::{Directory, Entry};
use crate::edx::course_run::Site;
use crate::edx::member_name::{CourseMember, MemberKind, parse_member};
use crate::source::ObjectMeta;

/// One folder of decrypted members.
#[derive(Debug)]
pub struct Package {
    /// The folder's name, such as `{org}-{date}`.
    pub name: String,
    /// None: a tar of many days, or files that lie in no dated folder.
    pub date: Option<Date>,
    /// LastModified of the newest object.
    pub modified: Timestamp,
    contents: Contents,
    /// What shown paths leave out of entry names.
    hidden: String,
    /// In order of shown path; no path twice, none a folder of another.
    slots: Vec<Slot>,
    /// Where the opt-in list is: found once, since packages of years are asked whether they hold one.
    opt_in_list: Option<usize>,
}

/// Where members lie.
#[derive(Debug)]
pub(super) enum Contents {
    /// A zip or tar object.
    Archive { object: ObjectMeta, directory: Arc<Directory> },
    /// Objects of their own, each with its path in the package.
    Loose(Vec<(String, ObjectMeta)>),
}

#[derive(Debug)]
struct Slot {
    index: u32,
    meaning: Option<Arc<CourseMember>>,
}

/// One file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Path in the package's folder, without `.gpg`.
    pub path: &'a str,
    pub object: &'a ObjectMeta,
    /// None: the whole object.
    pub entry: Option<&'a Entry>,
    /// What is taken off to show it: OpenPGP or nothing.
    pub layers: Layers,
    /// None: shown under its path only.
    pub meaning: Option<&'a CourseMember>,
}

impl Member<'_> {
    /// Encoded bytes.
    pub fn bytes(&self) -> u64 {
        self.entry.map_or(self.object.id.bytes, |entry| entry.bytes)
    }

    /// The name as the source has it.
    pub(super) fn source_name(&self) -> &str {
        self.entry.map_or("", |entry| &entry.name)
    }

    /// Empty although it must at least hold the encryption's frame.
    pub fn is_void(&self) -> bool {
        self.bytes() == 0 && !self.layers.0.is_empty()
    }
}

/// What stands under a path of a package.
#[derive(Debug)]
pub enum Found<'a> {
    Folder,
    File(Member<'a>),
}

/// What names mean. They recur every week, so each is read once and its meaning has one place in memory.
#[derive(Default)]
pub(super) struct Meanings(HashMap<String, Option<Arc<CourseMember>>>);

impl Meanings {
    fn of(&mut self, name: &str) -> Option<Arc<CourseMember>> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let usable = |member: &CourseMember| member.course.as_ref().is_none_or(|course| is_prefix(course.as_str()));
        let meaning = parse_member(name).filter(usable).map(Arc::new);
        self.0.insert(name.to_owned(), meaning.clone());
        meaning
    }

    /// The meaning of the file at `path`, if it lies in `folder`.
    fn at(&mut self, path: &str, folder: &str) -> Option<Arc<CourseMember>> {
        self.of(below(path, folder)?)
    }
}

/// How the names in a package are read.
pub(super) struct Reading<'a> {
    /// Stands before the names that have a meaning; entries elsewhere are shown raw. None: no name has one.
    pub folder: Option<&'a str>,
    /// What shown paths leave out.
    pub hidden: &'a str,
}

impl Package {
    /// A package of which nothing is known but that it is there.
    pub(super) fn unreadable(name: &str, date: Option<Date>, object: &ObjectMeta) -> Package {
        let contents = Contents::Loose(Vec::new());
        Package {
            name: name.to_owned(),
            date,
            modified: object.modified,
            contents,
            hidden: String::new(),
            slots: Vec::new(),
            opt_in_list: None,
        }
    }

    /// Sorts the members by path; what cannot be shown becomes a problem.
    pub(super) fn new(
        name: &str,
        date: Option<Date>,
        contents: Contents,
        reading: &Reading<'_>,
        meanings: &mut Meanings,
        problems: &mut dyn FnMut(Problem),
    ) -> Package {
        let (count, modified) = match &contents {
            Contents::Archive { object, directory } => (directory.entries.len(), object.modified),
            Contents::Loose(files) => (files.len(), newest(files.iter().map(|(_, object)| object))),
        };
        let slots = (0..u32::try_from(count).unwrap_or(u32::MAX)).map(|index| Slot { index, meaning: None }).collect();
        let name = name.to_owned();
        let hidden = reading.hidden.to_owned();
        let mut package = Package { name, date, modified, contents, hidden, slots, opt_in_list: None };
        package.keep_showable(problems);
        for at in 0..package.slots.len() {
            package.slots[at].meaning = reading.folder.and_then(|folder| meanings.at(package.path_at(at), folder));
        }
        package.note_members(problems);
        package.opt_in_list = package.find_opt_in_list();
        package
    }

    /// The organisation's e-mail opt-in list, if it is here and can be read.
    pub fn opt_in_list(&self) -> Option<Member<'_>> {
        self.opt_in_list.map(|at| self.at(at))
    }

    /// The first of the production site, else the first.
    fn find_opt_in_list(&self) -> Option<usize> {
        let site = |at: usize| {
            let meaning = self.slots[at].meaning.as_deref().filter(|meaning| meaning.kind == MemberKind::OptIn)?;
            (!meaning.failed && !self.at(at).is_void()).then(|| meaning.site.clone())
        };
        let lists = (0..self.slots.len()).filter_map(|at| Some((site(at)? != Site::from_token("prod"), at)));
        lists.min().map(|(_, at)| at)
    }

    /// Every member, in order of path.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        (0..self.slots.len()).map(|at| self.at(at))
    }

    /// The member at a position of that order.
    pub(super) fn at(&self, at: usize) -> Member<'_> {
        let slot = &self.slots[at];
        let (object, entry) = match &self.contents {
            Contents::Archive { object, directory } => (object, Some(&directory.entries[slot.index as usize])),
            Contents::Loose(files) => (&files[slot.index as usize].1, None),
        };
        let layers = Layers::openpgp_only(self.source_name_at(at)).0;
        Member { path: self.path_at(at), object, entry, layers, meaning: slot.meaning.as_deref() }
    }

    fn source_name_at(&self, at: usize) -> &str {
        let index = self.slots[at].index as usize;
        match &self.contents {
            Contents::Archive { directory, .. } => &directory.entries[index].name,
            Contents::Loose(files) => &files[index].0,
        }
    }

    fn path_at(&self, at: usize) -> &str {
        let name = Layers::openpgp_only(self.source_name_at(at)).1;
        name.strip_prefix(self.hidden.as_str()).unwrap_or(name)
    }

    /// What stands under `path`; `""` is the package's own folder.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        if path.is_empty() {
            return Some(Found::Folder);
        }
        let at = self.first_at_or_after(path, "");
        if at < self.slots.len() && self.path_at(at) == path {
            return Some(Found::File(self.at(at)));
        }
        self.is_folder(path).then_some(Found::Folder)
    }

    /// The names directly under a folder, in no particular order; nothing if there is no such folder.
    pub fn children(&self, folder: &str) -> Vec<(&str, Found<'_>)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut at = self.first_at_or_after(&prefix, "");
        let mut children = Vec::new();
        while at < self.slots.len() {
            let Some(below) = self.path_at(at).strip_prefix(prefix.as_str()) else { break };
            match below.split_once('/') {
                None => {
                    children.push((below, Found::File(self.at(at))));
                    at += 1;
                }
                Some((name, _)) => {
                    children.push((name, Found::Folder));
                    // '0' is the character behind '/': the first path behind everything below this folder.
                    at = self.first_at_or_after(&prefix, &format!("{name}0"));
                }
            }
        }
        children
    }

    /// A problem of the member at a position.
    pub(super) fn problem(&self, at: usize, what: impl Into<String>, advice: &str) -> Problem {
        let member = self.at(at);
        Problem::new(member.object, what, advice).entry(member.source_name())
    }

    fn is_folder(&self, path: &str) -> bool {
        let at = self.first_at_or_after(path, "/");
        at < self.slots.len() && self.path_at(at).strip_prefix(path).is_some_and(|below| below.starts_with('/'))
    }

    fn first_at_or_after(&self, head: &str, tail: &str) -> usize {
        let (mut low, mut high) = (0, self.slots.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if compare(self.path_at(middle), head, tail) == Ordering::Less { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Sorts the slots by path and keeps one of each: the package form before the decrypted, then the newest.
    fn keep_showable(&mut self, problems: &mut dyn FnMut(Problem)) {
        let mut order: Vec<usize> =
            (0..self.slots.len()).filter(|&at| !self.source_name_at(at).ends_with('/')).collect();
        let quality = |at: usize| {
            let member = self.at(at);
            (member.bytes() > 0, !member.layers.0.is_empty(), member.object.modified, Reverse(&member.object.id))
        };
        order.sort_by(|&a, &b| self.path_at(a).cmp(self.path_at(b)).then_with(|| quality(b).cmp(&quality(a))));
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for at in order {
            if !self.path_at(at).split('/').all(is_file_name) {
                problems(self.problem(at, "the name cannot be shown as a path", "unpack the package by hand"));
            } else if kept.last().is_some_and(|&last| self.path_at(last) == self.path_at(at)) {
                problems(self.problem(at, "not used: another file has the same path", "nothing, if they are equal"));
            } else {
                kept.push(at);
            }
        }
        self.slots = kept.iter().map(|&at| Slot { index: self.slots[at].index, meaning: None }).collect();
        self.drop_files_that_are_folders(problems);
    }

    fn note_members(&self, problems: &mut dyn FnMut(Problem)) {
        for (at, member) in self.members().enumerate() {
            if member.meaning.is_some_and(|meaning| meaning.failed) {
                let what = "edX could not make this file; its note is shown under this name";
                problems(self.problem(at, what, "read the note; use another week's snapshot"));
            } else if member.is_void() && member.entry.is_some() {
                problems(self.problem(at, "empty entry", "use another week's snapshot").errno("EIO"));
            }
        }
    }

    fn drop_files_that_are_folders(&mut self, problems: &mut dyn FnMut(Problem)) {
        let mut folders: HashSet<&str> = HashSet::new();
        for at in 0..self.slots.len() {
            let mut path = self.path_at(at);
            // A folder that is there already has its own folders there too.
            while let Some((folder, _)) = path.rsplit_once('/')
                && folders.insert(folder)
            {
                path = folder;
            }
        }
        let clash: Vec<bool> = (0..self.slots.len()).map(|at| folders.contains(self.path_at(at))).collect();
        for at in (0..clash.len()).filter(|&at| clash[at]) {
            problems(self.problem(at, "not shown: a folder has the same path", "unpack the package by hand"));
        }
        let mut at = 0;
        self.slots.retain(|_| {
            at += 1;
            !clash[at - 1]
        });
    }
}

/// LastModified of the newest of some objects; the epoch if there is none.
pub(super) fn newest<'a>(objects: impl Iterator<Item = &'a ObjectMeta>) -> Timestamp {
    objects.map(|object| object.modified).max().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Compares `path` with `head` followed by `tail`, without joining them.
fn compare(path: &str, head: &str, tail: &str) -> Ordering {
    let (start, rest) = path.as_bytes().split_at(path.len().min(head.len()));
    start.cmp(head.as_bytes()).then_with(|| rest.cmp(tail.as_bytes()))
}

/// A name that a directory can hold.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', '\0'])
}

fn is_prefix(prefix: &str) -> bool {
    !matches!(prefix, "" | "." | "..") && !prefix.contains(['/', '\0'])
}

/// What follows `folder` in `path`; edX's own letter case of the organisation may differ there.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let (head, rest) = path.split_at_checked(folder.len())?;
    head.eq_ignore_ascii_case(folder).then_some(rest)
}
