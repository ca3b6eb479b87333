//! The naive model: everything in memory, path → bytes, by the words of the contract alone.

use std::collections::{BTreeMap, BTreeSet};

/// Course ids with the folder that each would have; on another site it has the site behind it.
pub const COURSES: [(&str, &str); 5] = [
    ("course-v1:UniX+A+1", "UniX-A-1"),
    ("UniX/B.2/T_1", "UniX-B.2-T_1"),
    ("course-v1:UniX+C+1", "UniX-C-1"),
    ("UniX/D/1", "UniX-D-1"),
    ("ccx-v1:UniX+E+1+ccx@7", "UniX-E-1-ccx-7"),
];
pub type Course = usize;
/// Behind folder names: nothing, or `@edge`.
pub type Site = &'static str;

/// A line as a test made it: whose it is, and which ids it states besides.
#[derive(Clone)]
pub struct Line {
    pub bytes: Vec<u8>,
    pub course: Option<Course>,
    pub stated: Vec<Course>,
}

/// One version of one day's log; `packed` is what is left of the object without encryption.
#[derive(Clone)]
pub struct Day {
    pub version: u32,
    pub lines: Vec<Line>,
    pub packed: Vec<u8>,
    pub object: String,
    pub layers: &'static str,
}

/// A weekly package: the rows of `auth_user` of each course folder.
#[derive(Clone)]
pub struct Week {
    pub version: u32,
    pub rows: BTreeMap<String, String>,
}

#[derive(Clone, Default)]
pub struct World {
    pub days: BTreeMap<(Site, String), Day>,
    pub weeks: BTreeMap<String, Week>,
}

/// What is listed, and what decoding has taught so far.
#[derive(Default)]
pub struct Model {
    pub world: World,
    /// True for those stated.
    met: BTreeMap<(Site, Course), bool>,
    decoded: BTreeSet<u32>,
}

pub const HEADER: &str = "id\tusername\n";
/// Content, and what it comes from: two files of one source are one inode.
pub type Content = (Vec<u8>, String);

impl Model {
    pub fn of(world: World) -> Model {
        Model { world, ..Model::default() }
    }

    pub fn decode(&mut self, site: Site, date: &str) {
        let Some(day) = self.world.days.get(&(site, date.to_owned())) else { return };
        self.decoded.insert(day.version);
        for line in &day.lines {
            line.course.iter().for_each(|&course| _ = self.met.entry((site, course)).or_default());
            line.stated.iter().for_each(|&course| _ = self.met.insert((site, course), true));
        }
    }

    /// Folder → site, and the course whose lines it takes.
    pub fn courses(&self) -> BTreeMap<String, (Site, Option<Course>)> {
        let folder = |site: Site, course: Course| format!("{}{site}", COURSES[course].1);
        let site = |folder: &str| if folder.ends_with("@edge") { "@edge" } else { "" };
        let held = self.world.weeks.values().flat_map(|week| week.rows.keys());
        let mut courses: BTreeMap<_, _> = held.map(|folder| (folder.clone(), (site(folder), None))).collect();
        for (&(site, course), stated) in &self.met {
            if *stated || courses.contains_key(&folder(site, course)) {
                courses.insert(folder(site, course), (site, Some(course)));
            }
        }
        courses
    }

    /// The days that a course's folder lists: all but those known to hold nothing of it.
    pub fn event_days(&self, site: Site, course: Option<Course>) -> Vec<String> {
        let holds = |day: &Day| course.is_some() && day.lines.iter().any(|line| line.course == course);
        let days = self.world.days.iter().filter(|((of, _), _)| *of == site);
        let shown = days.filter(|(_, day)| !self.decoded.contains(&day.version) || holds(day));
        shown.map(|((_, date), _)| format!("{date}.log")).collect()
    }

    pub fn file(&self, path: &str) -> Option<Content> {
        match path.split('/').collect::<Vec<_>>()[..] {
            ["events", folder, name] | ["courses", folder, "events", name] => self.events(folder, name),
            ["edx-course-data", token, "events", _, name] => {
                let site = if token == "edge" { "@edge" } else { "" };
                let date = name.split_once("-events-")?.1.get(..10)?;
                let day = self.world.days.get(&(site, date.to_owned()))?;
                let encryption = day.layers.trim_end_matches("gz");
                Some((day.packed.clone(), format!("{} whole {encryption}", day.version)))
            }
            ["courses", folder, "tables", "auth_user.tsv"] => {
                table(self.world.weeks.values().rev().find(|week| week.rows.contains_key(folder))?, folder)
            }
            ["courses", folder, "snapshots", date, "tables", _] => table(self.world.weeks.get(date)?, folder),
            ["tables", "auth_user.tsv"] => {
                let week = self.world.weeks.values().next_back()?;
                let mut text = format!("course\t{HEADER}");
                for (folder, rows) in &week.rows {
                    rows.lines().for_each(|row| text += &format!("{folder}\t{row}\n"));
                }
                Some((text.into_bytes(), format!("{} joined", week.version)))
            }
            _ => None,
        }
    }

    fn events(&self, folder: &str, name: &str) -> Option<Content> {
        let (courses, date) = (self.courses(), name.strip_suffix(".log")?.to_owned());
        let of_site = |what: &str| folder.strip_prefix(what).filter(|site| ["", "@edge"].contains(site));
        let of_course = courses.get(folder);
        let site = of_site("all").or(of_site("unattributed")).or(of_course.map(|(site, _)| *site))?;
        let day = self.world.days.iter().find(|((of, on), _)| *of == site && *on == date)?.1;
        let folderless = |course: &Course| !courses.values().any(|owner| *owner == (site, Some(*course)));
        let mut without: BTreeSet<_> = day.lines.iter().filter_map(|line| line.course).collect();
        without.retain(folderless);
        let shown = |line: &&Line| match of_course {
            Some((_, course)) => course.is_some() && line.course == *course,
            None => folder.starts_with("all") || line.course.is_none_or(|course| folderless(&course)),
        };
        let bytes = day.lines.iter().filter(shown).flat_map(|line| line.bytes.clone()).collect();
        let source = match of_course {
            Some((_, Some(course))) => format!("{} course {course}", day.version),
            Some((_, None)) => format!("{} folder {folder}", day.version),
            None if folder.starts_with("all") => format!("{} whole {}", day.version, day.layers),
            None => format!("{} unattributed {without:?}", day.version),
        };
        Some((bytes, source))
    }
}

fn table(week: &Week, folder: &str) -> Option<Content> {
    let rows = week.rows.get(folder)?;
    Some((format!("{HEADER}{rows}").into_bytes(), format!("{} table {folder}", week.version)))
}
