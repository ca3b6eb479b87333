//! A watch over folders: what comes into being or is written in them, and whether it holds what it must not.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memchr::memmem;

/// inotify over folders and all that come to lie in them.
pub struct Watch {
    inotify: i32,
    folders: HashMap<i32, PathBuf>,
    /// What none of the files may hold.
    marks: Vec<Vec<u8>>,
    /// Files that were written.
    pub written: BTreeSet<PathBuf>,
    /// Files that held a mark when they were looked at.
    pub plain: BTreeSet<PathBuf>,
}

impl Watch {
    pub fn over(folders: &[&Path], marks: &[&str]) -> Watch {
        // SAFETY: takes numbers.
        let inotify = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        assert!(inotify >= 0, "inotify is there");
        let marks = marks.iter().map(|mark| mark.as_bytes().to_vec()).collect();
        let (written, plain) = (BTreeSet::new(), BTreeSet::new());
        let mut watch = Watch { inotify, folders: HashMap::new(), marks, written, plain };
        for folder in folders {
            watch.add(folder);
        }
        watch
    }

    /// Watches a folder and all below it, and looks at what is there already.
    fn add(&mut self, folder: &Path) {
        let path = CString::new(folder.as_os_str().as_bytes()).expect("no NUL in it");
        let mask = libc::IN_CREATE | libc::IN_MODIFY | libc::IN_CLOSE_WRITE | libc::IN_MOVED_TO;
        // SAFETY: `path` ends in NUL.
        let descriptor = unsafe { libc::inotify_add_watch(self.inotify, path.as_ptr(), mask | libc::IN_ONLYDIR) };
        // It may be gone already.
        if descriptor < 0 {
            return;
        }
        self.folders.insert(descriptor, folder.to_owned());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            self.look_at(entry.path());
        }
    }

    fn look_at(&mut self, path: PathBuf) {
        if path.is_dir() {
            self.add(&path);
            return;
        }
        let content = fs::read(&path).unwrap_or_default();
        if self.marks.iter().any(|mark| memmem::find(&content, mark).is_some()) {
            self.plain.insert(path.clone());
        }
        self.written.insert(path);
    }

    /// Looks at all that has been written since the last time.
    pub fn look(&mut self) {
        const HEADER: usize = size_of::<libc::inotify_event>();
        let mut buffer = vec![0_u8; 64 << 10];
        loop {
            // SAFETY: the buffer is as long as is said.
            let read = unsafe { libc::read(self.inotify, buffer.as_mut_ptr().cast(), buffer.len()) };
            let Ok(mut rest @ 1..) = usize::try_from(read) else { return };
            let mut at = 0;
            let mut paths = BTreeSet::new();
            while rest > 0 {
                let number = |from: usize| u32::from_ne_bytes(buffer[from..from + 4].try_into().expect("four bytes"));
                let (descriptor, length) = (number(at).cast_signed(), number(at + 12) as usize);
                let name = &buffer[at + HEADER..at + HEADER + length];
                let name = std::ffi::OsStr::from_bytes(name.split(|byte| *byte == 0).next().unwrap_or_default());
                assert!(number(at + 4) & libc::IN_Q_OVERFLOW == 0, "the watch has missed something");
                paths.extend(self.folders.get(&descriptor).map(|folder| folder.join(name)));
                at += HEADER + length;
                rest -= HEADER + length;
            }
            paths.into_iter().for_each(|path| self.look_at(path));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours, and used no more.
        unsafe { libc::close(self.inotify) };
    }
}
