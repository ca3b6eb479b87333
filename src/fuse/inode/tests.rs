use super::*;

fn file(path: &str, identity: Identity) -> Named {
    Named { path: path.into(), identity, kind: Kind::File }
}

fn directory(path: &str) -> Named {
    Named { path: path.into(), identity: Identity::Path, kind: Kind::Directory }
}

fn text(text: &str) -> Opened {
    Opened { content: Content::Text(text.into()), modified: Timestamp::UNIX_EPOCH }
}

#[test]
fn one_content_has_one_number_under_all_its_paths() {
    let inodes = Inodes::new();
    let one = inodes.remember(file("tables/a.tsv", Identity::Content(99))).0;
    let other = inodes.remember(file("snapshots/2015/a.tsv", Identity::Content(99))).0;
    assert_eq!((one, other), (99, 99));
    assert_eq!(inodes.get(99).map(|(named, _)| named.path), Some("snapshots/2015/a.tsv".into()));
}

#[test]
fn numbers_are_the_same_in_every_mount_and_never_reserved_ones() {
    let (one, other) = (Inodes::new(), Inodes::new());
    for named in [directory("courses"), file("x", Identity::Path), file("y", Identity::Content(0))] {
        let number = one.remember(named.clone()).0;
        assert_eq!(number, other.remember(named).0);
        assert!(number > ROOT);
    }
    assert_eq!(one.number(&directory("")).0, ROOT);
}

#[test]
fn a_taken_number_is_resolved_and_found_again() {
    let inodes = Inodes::new();
    let taken = inodes.number(&file("late", Identity::Path)).0;
    inodes.remember(file("early", Identity::Content(taken)));
    assert_eq!(inodes.remember(file("late", Identity::Path)).0, taken + 1);
    assert_eq!(inodes.remember(file("late", Identity::Path)).0, taken + 1);
}

#[test]
fn a_path_that_becomes_a_file_is_another_inode() {
    let inodes = Inodes::new();
    assert_ne!(inodes.remember(directory("x")).0, inodes.remember(file("x", Identity::Path)).0);
}

#[test]
fn a_directory_is_found_by_its_path_while_the_kernel_knows_it() {
    let inodes = Inodes::new();
    assert_eq!((inodes.directory(""), inodes.directory("courses")), (Some(ROOT), None));
    let ino = inodes.remember(directory("courses")).0;
    assert_eq!(inodes.directory("courses"), Some(ino));
    inodes.forget(ino, 1);
    assert_eq!(inodes.directory("courses"), None);
}

#[test]
fn an_entry_goes_with_its_last_lookup_and_its_last_handle() {
    let inodes = Inodes::new();
    let ino = inodes.remember(file("a", Identity::Content(7))).0;
    inodes.remember(file("a", Identity::Content(7)));
    inodes.forget(ino, 1);
    assert!(inodes.get(ino).is_some());
    inodes.open(ino, text("a"));
    inodes.forget(ino, 1);
    assert!(inodes.get(ino).is_some());
    inodes.release(ino);
    assert!(inodes.get(ino).is_none());
    inodes.forget(ROOT, u64::MAX);
    assert!(inodes.get(ROOT).is_some());
}

#[test]
fn all_handles_of_an_inode_read_the_same() {
    let inodes = Inodes::new();
    let ino = inodes.remember(file("a", Identity::Path)).0;
    let (_, first) = inodes.open(ino, text("old")).expect("known");
    let (second, others) = inodes.open(ino, text("newer")).expect("known");
    assert_eq!((first, others), (Handles::First, Handles::Others));
    assert_eq!(second.content.len(), 3);
    inodes.release(ino);
    inodes.release(ino);
    let (third, _) = inodes.open(ino, text("newer")).expect("known");
    assert_eq!(third.content.len(), 5);
}

#[test]
fn forgetting_many_names_gives_the_table_back() {
    let inodes = Inodes::new();
    let numbers: Vec<u64> =
        (0..100_000).map(|i| inodes.remember(file(&format!("events/{i}"), Identity::Path)).0).collect();
    for ino in numbers {
        inodes.forget(ino, 1);
    }
    assert_eq!(inodes.lock().len(), 1);
    assert!(inodes.lock().capacity() <= SMALL * 2);
}

#[test]
fn every_path_of_a_content_is_kept_up_to_a_limit() {
    let inodes = Inodes::new();
    inodes.remember(directory("events"));
    inodes.remember(file("late", Identity::Path));
    for round in 0..2 {
        for number in 0..MOST_PATHS + 10 {
            let (_, paths) = inodes.remember(file(&format!("events/{number}"), Identity::Content(7)));
            let fits = number <= MOST_PATHS;
            assert_eq!(paths, if fits { Paths::AllKnown } else { Paths::OneUnknown }, "{round} {number}");
        }
    }
    let kept = inodes.kept();
    assert_eq!(kept.len(), 1 + 1 + MOST_PATHS);
    assert_eq!(kept.iter().filter(|kept| kept.is_directory()).count(), 1);
    inodes.drop_path(7, "events/5");
    inodes.drop_path(7, &inodes.get(7).expect("known").0.path);
    assert_eq!(inodes.kept().len(), kept.len() - 2);
}
