//! Random histories of a small organisation, compared with a naive model: on the volume, and on a real mount.

#[path = "common/mod.rs"]
mod common;
#[path = "common/gnupg_home.rs"]
mod gnupg_home;
#[path = "model/naive.rs"]
mod naive;
#[path = "model/refresh.rs"]
mod refresh;
#[path = "model/skins.rs"]
mod skins;
#[path = "model/workshop.rs"]
mod workshop;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use common::Mount;
use naive::{COURSES, Model, Site};
use skins::{Direct, Refused, Skin};
use workshop::{Coding, Dice, Key, Workshop, lines};

const SITES: [Site; 3] = ["", "", "@edge"];
const DATES: [&str; 5] = ["2015-08-29", "2015-08-30", "2015-12-31", "2016-01-01", "2016-02-29"];
const WEEKS: [&str; 3] = ["2016-01-03", "2016-01-10", "2016-01-17"];

/// A skin beside the model, and which numbers the files had so far.
struct Compared<S> {
    skin: S,
    model: Model,
    identity_of: BTreeMap<String, u64>,
    source_of: BTreeMap<u64, String>,
}

/// Why skin and model differ; on a mount it may be only that the kernel has not been told yet.
type Verdict<T> = Result<T, String>;

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Verdict<()> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

impl<S: Skin> Compared<S> {
    fn new(skin: S, workshop: &Workshop<'_>) -> Self {
        let model = Model::of(workshop.world.clone());
        Compared { skin, model, identity_of: BTreeMap::new(), source_of: BTreeMap::new() }
    }

    /// A restart on the same cache: nothing that was learned is lost.
    fn restarted(self, restart: impl FnOnce(S) -> S) -> Self {
        Compared { skin: restart(self.skin), ..self }
    }

    /// Retries for as long as the skin may lag behind.
    fn holds(&mut self, story: &str, check: impl Fn(&mut Self) -> Verdict<()>) {
        let begun = Instant::now();
        while let Err(difference) = check(self) {
            assert!(begun.elapsed() < self.skin.lag(), "{story}: {difference}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every folder lists what the model says.
    fn listings(&mut self) -> Verdict<()> {
        let courses = self.model.courses();
        let mut folders: Vec<String> = courses.keys().cloned().collect();
        equal("courses", self.skin.list("courses"), Some(folders.clone()))?;
        for (folder, (site, course)) in &courses {
            let days = Some(self.model.event_days(site, *course));
            equal(folder, self.skin.list(&format!("courses/{folder}/events")), days.clone())?;
            equal(folder, self.skin.list(&format!("events/{folder}")), days)?;
            let weeks = self.model.world.weeks.iter().filter(|(_, week)| week.rows.contains_key(folder));
            let weeks: Vec<_> = weeks.map(|(date, _)| date.clone()).collect();
            let table = if weeks.is_empty() { vec![] } else { vec!["auth_user.tsv".to_owned()] };
            equal(folder, self.skin.list(&format!("courses/{folder}/tables")), Some(table))?;
            equal(folder, self.skin.list(&format!("courses/{folder}/snapshots")), Some(weeks))?;
        }
        for site in ["", "@edge"] {
            let days: Vec<_> = self.model.world.days.keys().filter(|(of, _)| *of == site).collect();
            if !days.is_empty() {
                let names: Vec<_> = days.into_iter().map(|(_, date)| format!("{date}.log")).collect();
                for folder in [format!("all{site}"), format!("unattributed{site}")] {
                    equal(&folder, self.skin.list(&format!("events/{folder}")), Some(names.clone()))?;
                    folders.push(folder);
                }
            }
        }
        folders.sort();
        equal("events", self.skin.list("events"), Some(folders))
    }

    /// What is said of a file before anybody opens it.
    fn shown(&mut self, path: &str) -> Verdict<()> {
        let (shown, expected) = (self.skin.show(path), self.model.file(path));
        let (Some(shown), Some((content, source))) = (&shown, &expected) else {
            return equal(path, shown.is_some(), expected.is_some());
        };
        if shown.is_exact {
            equal(path, shown.size, content.len() as u64)?;
        } else if shown.size < 4096 || shown.size < content.len() as u64 {
            return Err(format!("{path}: {shown:?} misleads about {} bytes", content.len()));
        }
        let Some(identity) = shown.identity else { return Ok(()) };
        equal(path, self.source_of.get(&identity).unwrap_or(source), source)?;
        equal(source, self.identity_of.get(source).unwrap_or(&identity), &identity)?;
        self.source_of.insert(identity, source.clone());
        self.identity_of.insert(source.clone(), identity);
        Ok(())
    }

    /// The same, opened, read and shown once more.
    fn content(&mut self, path: &str, dice: &mut Dice, workshop: &Workshop<'_>) -> Verdict<()> {
        self.shown(path)?;
        let mut read = self.skin.read(path, dice);
        if read == Err(Refused::Changed) {
            // It was found out by reading, and the source was listed anew. The next open is right.
            self.model.world = workshop.world.clone();
            read = self.skin.read(path, dice);
        }
        if read.is_ok() && is_split(path) {
            let (site, date) = site_and_date(path);
            self.model.decode(site, &date);
        }
        let expected = self.model.file(path).map(|(content, _)| content);
        match (&read, &expected) {
            (Ok(found), Some(expected)) if found == expected => self.shown(path),
            (Err(Refused::Missing), None) => Ok(()),
            _ => Err(format!(
                "{path}: found {:?}, expected {:?}",
                read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                expected.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            )),
        }
    }
}

/// Opening one of these decodes its day.
fn is_split(path: &str) -> bool {
    path.contains("events/") && !path.starts_with("edx-course-data") && !path.starts_with("events/all")
}

fn site_and_date(path: &str) -> (Site, String) {
    let date = path.rsplit('/').next().and_then(|name| name.strip_suffix(".log")).unwrap_or_default();
    (if path.contains("@edge/") { "@edge" } else { "" }, date.to_owned())
}

/// Every path that any history could give a meaning to; also those that lead nowhere now.
fn paths(model: &Model) -> Vec<String> {
    let mut paths = vec!["tables/auth_user.tsv".to_owned()];
    let courses = COURSES.iter().flat_map(|(_, folder)| [folder.to_string(), format!("{folder}@edge")]);
    for folder in courses {
        paths.extend(DATES.map(|date| format!("courses/{folder}/events/{date}.log")));
        paths.push(format!("events/{folder}/{}.log", DATES[1]));
        paths.push(format!("courses/{folder}/tables/auth_user.tsv"));
        paths.extend(WEEKS.map(|week| format!("courses/{folder}/snapshots/{week}/tables/auth_user.tsv")));
    }
    for ((site, date), day) in &model.world.days {
        paths.extend(["all", "unattributed"].map(|what| format!("events/{what}{site}/{date}.log")));
        paths.push(format!("edx-course-data/{}", day.object.trim_end_matches(".gpg")));
    }
    paths
}

fn change(workshop: &mut Workshop<'_>, dice: &mut Dice) -> String {
    let (site, date, week) = (dice.of(&SITES), dice.of(&DATES), dice.of(&WEEKS));
    match dice.below(10) {
        0..=5 => {
            let lines = lines(dice);
            workshop.put_day(site, date, lines, dice);
            format!("put {date}{site}")
        }
        6 => {
            workshop.delete_day(site, date);
            format!("delete {date}{site}")
        }
        7 | 8 => {
            let courses: Vec<_> =
                (0..1 + dice.below(4)).map(|_| (dice.below(COURSES.len()), dice.of(&SITES))).collect();
            workshop.put_week(week, &courses, dice);
            format!("put week {week}")
        }
        _ => {
            workshop.delete_week(week);
            format!("delete week {week}")
        }
    }
}

/// Compares the listings and `count` files, or all of them.
fn compare<S: Skin>(
    compared: &mut Compared<S>,
    workshop: &Workshop<'_>,
    dice: &mut Dice,
    count: Option<usize>,
    story: &str,
) {
    compared.holds(story, Compared::listings);
    let all = paths(&compared.model);
    let chosen = match count {
        Some(count) => (0..count).map(|_| dice.of(&all)).collect(),
        None => all,
    };
    for path in chosen {
        let seed = dice.below(1 << 30) as u64;
        compared.holds(story, |compared| compared.content(&path, &mut Dice(seed), workshop));
        if is_split(&path) {
            compared.holds(story, Compared::listings);
        }
    }
}

/// Changes, refreshes, reads and restarts, as the seed says.
fn history(seed: u64, coding: Coding, cache_bytes: u64, key: &Key) {
    let (mut dice, cache) = (Dice(seed), tempfile::tempdir().expect("a temporary folder"));
    let mut workshop = Workshop::new(key, coding);
    let start = |workshop: &Workshop<'_>| Direct::start(workshop.data.path(), cache.path(), key, cache_bytes);
    let mut compared = Compared::new(start(&workshop), &workshop);
    let mut story = format!("seed {seed}");
    for _ in 0..25 {
        let step = match dice.below(8) {
            0..=3 => change(&mut workshop, &mut dice),
            4 => {
                compared = compared.restarted(|skin| {
                    // One process, one store: the old one must be gone first.
                    drop(skin);
                    start(&workshop)
                });
                compared.model.world = workshop.world.clone();
                "restart".to_owned()
            }
            _ => {
                compared.skin.refresh();
                compared.model.world = workshop.world.clone();
                "refresh".to_owned()
            }
        };
        story += &format!(", {step}");
        compare(&mut compared, &workshop, &mut dice, Some(6), &story);
    }
    compared.skin.refresh();
    compared.model.world = workshop.world.clone();
    compare(&mut compared, &workshop, &mut dice, None, &story);
}

#[test]
fn a_volume_is_what_the_model_says_through_any_history() {
    let key = Key::make();
    for seed in 1..=10 {
        let tiny = 160 << 10;
        history(seed, Coding::Mirror, if seed % 2 == 0 { tiny } else { 64 << 20 }, &key);
    }
    for seed in 11..=12 {
        history(seed, Coding::Package, 64 << 20, &key);
    }
}

#[test]
fn what_a_day_shows_does_not_depend_on_which_was_decoded_first() {
    let key = Key::make();
    for seed in 100..103 {
        let mut dice = Dice(seed);
        let mut workshop = Workshop::new(&key, Coding::Mirror);
        for (number, date) in DATES.iter().enumerate() {
            let lines = lines(&mut dice);
            workshop.put_day(SITES[number % 3], date, lines, &mut dice);
        }
        workshop.put_week(WEEKS[0], &[(3, "")], &mut dice);
        let mut days: Vec<_> = workshop.world.days.keys().cloned().collect();
        let mut outcomes = Vec::new();
        for order in 0..4 {
            let cache = tempfile::tempdir().expect("a temporary folder");
            let skin = Direct::start(workshop.data.path(), cache.path(), &key, 64 << 20);
            let mut compared = Compared::new(skin, &workshop);
            let middle = order % days.len();
            days.rotate_left(middle);
            days.reverse();
            for (site, date) in &days {
                let path = format!("events/unattributed{site}/{date}.log");
                compared.holds(&path.clone(), |compared| compared.content(&path, &mut Dice(seed), &workshop));
            }
            compare(&mut compared, &workshop, &mut dice, None, &format!("seed {seed}, order {order}"));
            let all = paths(&compared.model);
            outcomes.push(all.iter().map(|path| compared.skin.read(path, &mut Dice(1))).collect::<Vec<_>>());
        }
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

/// The options of a mount whose every change is asked for.
fn options(workshop: &Workshop<'_>, key: &Key) -> Vec<String> {
    let (data, secret) = (workshop.data.path().display().to_string(), key.secret().display().to_string());
    let options = ["--org", "unix", "--index", "off", "--refresh", "1h", "--folder", &data, "--secret-key", &secret];
    options.map(str::to_owned).to_vec()
}

#[test]
fn a_mount_follows_a_history_and_open_files_do_not() {
    let key = Key::make();
    for (seed, coding) in [(201, Coding::Mirror), (202, Coding::Mirror), (203, Coding::Package)] {
        let mut dice = Dice(seed);
        let mut workshop = Workshop::new(&key, coding);
        let mut story = format!("seed {seed}");
        for _ in 0..4 {
            story += &format!(", {}", change(&mut workshop, &mut dice));
        }
        let mut compared = Compared::new(Mount::start(&options(&workshop, &key)), &workshop);
        let mut held = Vec::new();
        for step in 0..12 {
            compare(&mut compared, &workshop, &mut dice, Some(10), &story);
            let path = dice.of(&paths(&compared.model));
            if let Some((content, _)) = compared.model.file(&path).filter(|_| !is_split(&path)) {
                held.push((File::open(compared.skin.path(&path)).expect("the model has it"), content));
            }
            story += &format!(", {}", change(&mut workshop, &mut dice));
            compared.skin.refresh();
            compared.model.world = workshop.world.clone();
            if step == 8 {
                check_held(std::mem::take(&mut held));
                let options = options(&workshop, &key);
                compared = compared.restarted(|mount| Mount::start_in(mount.stop(), &options, &[]));
                story += ", restart";
            }
        }
        check_held(held);
        compare(&mut compared, &workshop, &mut dice, None, &story);
    }
}

/// What was opened before any number of changes still has the content of then.
fn check_held(held: Vec<(File, Vec<u8>)>) {
    for (mut file, content) in held {
        let mut found = Vec::new();
        file.read_to_end(&mut found).expect("open files live on");
        assert!(found == content, "an open file has changed");
    }
}
