//! Laws over the whole tree: what is listed resolves, windows are cuts, long histories stay cheap.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Every path of the tree, by listing; each listed name must resolve to the same kind of node.
fn walk(tree: &Tree<'_>, path: &str, paths: &mut BTreeMap<String, bool>) {
    for (name, node) in tree.list(path).expect(path) {
        let below = if path.is_empty() { name } else { format!("{path}/{name}") };
        let found = tree.lookup(&below).expect(&below);
        assert_eq!(format!("{node:?}"), format!("{found:?}"), "{below}");
        let is_dir = matches!(node, Node::Dir { .. });
        assert!(paths.insert(below.clone(), is_dir).is_none(), "{below} twice");
        if is_dir {
            walk(tree, &below, paths);
        } else {
            assert!(tree.list(&below).is_err() && is_missing(tree, &format!("{below}/x")), "{below}");
        }
        assert!(is_missing(tree, &format!("{below}/")), "{below}/");
    }
}

#[test]
fn what_is_listed_can_be_looked_up_and_is_the_same() {
    let mut facts = Facts::default();
    facts.unpacked.insert("DelftX_A_B.tar.gz.gpg".to_owned(), Arc::new(vec!["events/a".to_owned(), "m".to_owned()]));
    let mut paths = BTreeMap::new();
    with(&shelf(), &facts, |tree| {
        walk(tree, "", &mut paths);
        assert_eq!(tree.render(&Page::Info("gone".into())), "");
        for page in [Page::Readme, Page::Courses, Page::Problems] {
            assert!(!tree.render(&page).is_empty());
        }
    });
    assert!(paths.len() > 60, "{}", paths.len());
}

#[test]
fn ten_years_of_days_are_asked_for_once_each_and_one_day_alone() {
    let mut shelf = Shelf::default();
    let mut day: jiff::civil::Date = "2010-01-01".parse().expect("a date");
    for _ in 0..3650 {
        shelf.log(&day.to_string());
        day = day.tomorrow().expect("far from the end of time");
    }
    shelf.met("edx", CHEM, Some(1));
    let facts = Facts::default();
    with(&shelf, &facts, |tree| {
        assert_eq!(tree.list("courses/UniX-CHEM-R1/events").expect("a folder").len(), 3650);
        assert_eq!(facts.asked.take(), 3650);
        tree.lookup("courses/UniX-CHEM-R1/events/2015-01-01.log").expect("a day");
        assert_eq!(facts.asked.take(), 1);
    });
}

proptest! {
    #[test]
    fn a_windows_events_are_the_courses_events_of_those_days(
        logs in prop::collection::btree_set(1..28i8, 0..20),
        decoded in prop::collection::btree_map(1..28i8, any::<bool>(), 0..20),
        from in prop::option::of(1..28i8),
        to in prop::option::of(1..28i8),
    ) {
        let date = |day: i8| format!("2016-02-{day:02}");
        let mut shelf = Shelf::default();
        logs.iter().for_each(|&day| { shelf.log(&date(day)); });
        shelf.met("edx", CHEM, Some(1));
        let mut facts = Facts::default();
        for (&day, &holds) in &decoded {
            facts.day(&date(day), if holds { &[CHEM] } else { &[] });
        }
        let name = format!("{}_{}", from.map(date).unwrap_or_default(), to.map(date).unwrap_or_default());
        let is_window = from.or(to).is_some() && from.unwrap_or(0) <= to.unwrap_or(99);
        with(&shelf, &facts, |tree| {
            let whole = names(tree, "courses/UniX-CHEM-R1/events");
            let path = format!("courses/UniX-CHEM-R1/between/{name}/events");
            if !is_window {
                prop_assert!(is_missing(tree, &path));
                return Ok(());
            }
            let inside = |log: &String| {
                let day: i8 = log[8..10].parse().expect("two digits");
                from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
            };
            let expected: Vec<String> = whole.into_iter().filter(inside).collect();
            prop_assert_eq!(names(tree, &path), expected.clone());
            for log in &expected {
                let a = artifact(tree, &format!("{path}/{log}"));
                prop_assert_eq!(a, artifact(tree, &format!("events/UniX-CHEM-R1/{log}")));
            }
            for day in 1..28 {
                let resolves = tree.lookup(&format!("{path}/{}.log", date(day))).is_ok();
                prop_assert_eq!(resolves, logs.contains(&day) && inside(&format!("{}.log", date(day))));
            }
            Ok(())
        })?;
    }
}
