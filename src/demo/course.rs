//! Invented course runs: ids of every form, a tree of blocks, and who is enrolled.

use jiff::civil::Date;

use crate::demo::plan::{Plan, Site, later};
use crate::demo::random::Random;

/// The form of a course id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    Old,
    New,
    /// A custom course: the number behind `ccx@`.
    Ccx(u32),
}

/// One block of a course.
#[derive(Clone, Debug)]
pub struct Block {
    pub category: &'static str,
    /// The last part of its id.
    pub name: String,
    pub title: String,
    /// `i4x://…` or `block-v1:…`.
    pub usage: String,
    /// The id inside HTML elements and video events.
    pub html_id: String,
    /// Indexes into the course's blocks.
    pub children: Vec<usize>,
}

/// One learner in one course run.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Index into the organisation's learners.
    pub learner: usize,
    pub date: Date,
    /// A time of day for rows of this enrolment.
    pub time: String,
    pub mode: &'static str,
    /// The course-specific anonymous id, 32 hexadecimal digits.
    pub anonymous_id: String,
}

/// One course run.
#[derive(Clone, Debug)]
pub struct Course {
    pub number: String,
    pub run: String,
    pub org: String,
    pub spelling: Spelling,
    pub id: String,
    /// What names of its files begin with in the package.
    pub prefix: String,
    /// The id in the address line of a browser.
    pub url_id: String,
    pub title: String,
    pub edge: EdgeToo,
    /// The course block is the first.
    pub blocks: Vec<Block>,
    pub videos: Vec<usize>,
    pub problems: Vec<usize>,
    pub sequentials: Vec<usize>,
    /// The open response assessment.
    pub assessment: usize,
    /// `chapter/sequential` of each sequential.
    pub pages: Vec<String>,
    pub enrolments: Vec<Enrolment>,
    /// Its place in the organisation's list, largest course first.
    pub rank: usize,
    /// Of how many events of the organisation it has its part; Zipf-like.
    pub weight: u64,
}

/// Whether a course run is on edge as well as on prod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeToo {
    Yes,
    No,
}

/// Weeks, subsections of a week, units of a subsection.
const CHAPTERS: usize = 4;
const SEQUENTIALS: usize = 2;
const VERTICALS: usize = 2;

impl Course {
    /// The course of that rank. `learners`: how many there are in the organisation.
    pub fn new(plan: &Plan, rank: usize, learners: usize) -> Self {
        let (spelling, number, run) = naming(rank);
        let org = plan.org.clone();
        let id = match spelling {
            Spelling::Old => format!("{org}/{number}/{run}"),
            Spelling::New => format!("course-v1:{org}+{number}+{run}"),
            Spelling::Ccx(ccx) => format!("ccx-v1:{org}+{number}+{run}+ccx@{ccx}"),
        };
        let ccx = if let Spelling::Ccx(ccx) = spelling { format!("-ccx-{ccx}") } else { String::new() };
        let prefix = format!("{org}-{number}-{run}{ccx}");
        let mut course = Course {
            prefix: prefix.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect(),
            url_id: id.replace('Ö', "%C3%96"),
            title: format!("Introduction to {number}"),
            edge: if matches!(rank, 0 | 1 | 7) { EdgeToo::Yes } else { EdgeToo::No },
            blocks: Vec::new(),
            videos: Vec::new(),
            problems: Vec::new(),
            sequentials: Vec::new(),
            assessment: 0,
            pages: Vec::new(),
            enrolments: Vec::new(),
            number,
            run,
            org,
            spelling,
            id,
            rank,
            weight: (100_000.0 / (rank as f64 + 1.0).powf(1.1)) as u64,
        };
        course.grow_blocks(&mut Random::new(plan.seed, &format!("blocks {}", course.id)));
        course.enrol(plan, learners);
        course
    }

    /// Whether the site has this course.
    pub fn is_on(&self, site: Site) -> bool {
        site == Site::Prod || self.edge == EdgeToo::Yes
    }

    /// The enrolments of a site: on edge the first few people, who try the course out.
    pub fn enrolments(&self, site: Site) -> &[Enrolment] {
        match site {
            Site::Prod => &self.enrolments,
            Site::Edge => &self.enrolments[..self.enrolments.len().min(12)],
        }
    }

    /// The id of a thread or comment of its forum: 24 hexadecimal digits.
    pub fn post_id(&self, number: usize) -> String {
        format!("{:08x}{:06x}{:010x}", 0x54f3_0000 + number * 977, self.rank + 0xc0df1, 0x59_6000 + number)
    }

    /// The topic that forum posts stand under.
    pub fn topic(&self) -> String {
        let run = self.run.replace('.', "_");
        match self.spelling {
            Spelling::Old => format!("i4x-{}-{}-course-{run}", self.org, self.number.replace('.', "_")),
            _ => "course".into(),
        }
    }

    fn grow_blocks(&mut self, random: &mut Random) {
        let root = self.add("course", random, &self.title.clone());
        for week in 1..=CHAPTERS {
            let chapter = self.add("chapter", random, &format!("Week {week}"));
            self.blocks[root].children.push(chapter);
            for part in 1..=SEQUENTIALS {
                let sequential = self.add("sequential", random, &format!("Lesson {week}.{part}"));
                self.blocks[chapter].children.push(sequential);
                self.sequentials.push(sequential);
                let page = format!("{}/{}", self.blocks[chapter].name, self.blocks[sequential].name);
                self.pages.push(page);
                for unit in 1..=VERTICALS {
                    let vertical = self.add("vertical", random, &format!("Unit {week}.{part}.{unit}"));
                    self.blocks[sequential].children.push(vertical);
                    self.fill_unit(vertical, random, &format!("{week}.{part}.{unit}"));
                }
            }
        }
        let last = self.blocks[root].children.last().copied().unwrap_or(root);
        self.assessment = self.add("openassessment", random, "Essay");
        self.blocks[last].children.push(self.assessment);
    }

    fn fill_unit(&mut self, vertical: usize, random: &mut Random, place: &str) {
        let problem_title = match place {
            "1.1.1" => "Pre-course survey".to_owned(),
            "4.2.2" => "Post-survey".to_owned(),
            _ => format!("Quiz \u{2013} {place}"),
        };
        let video = self.add("video", random, &format!("Lecture {place}"));
        let problem = self.add("problem", random, &problem_title);
        let html = self.add("html", random, "Read this \"first\"");
        let discussion = self.add("discussion", random, &format!("Discuss {place}"));
        self.blocks[vertical].children.extend([video, problem, html, discussion]);
        self.videos.push(video);
        self.problems.push(problem);
    }

    fn add(&mut self, category: &'static str, random: &mut Random, title: &str) -> usize {
        let name = match (category, self.spelling) {
            ("course", Spelling::Old) => self.run.clone(),
            ("course", _) => "course".into(),
            ("chapter" | "sequential", Spelling::Old) => title.replace([' ', '.'], "_"),
            _ => random.hex(32),
        };
        let (org, number, run) = (&self.org, &self.number, &self.run);
        let usage = match self.spelling {
            Spelling::Old => format!("i4x://{org}/{number}/{category}/{name}"),
            Spelling::New => format!("block-v1:{org}+{number}+{run}+type@{category}+block@{name}"),
            Spelling::Ccx(ccx) => {
                format!("ccx-block-v1:{org}+{number}+{run}+ccx@{ccx}+type@{category}+block@{name}")
            }
        };
        let html_id = match self.spelling {
            Spelling::Old => format!("i4x-{org}-{}-{category}-{name}", number.replace('.', "_")),
            _ => name.clone(),
        };
        self.blocks.push(Block { category, name, title: title.to_owned(), usage, html_id, children: Vec::new() });
        self.blocks.len() - 1
    }

    /// Large courses have more of the learners; every course has the first eight. Some come after the first week.
    fn enrol(&mut self, plan: &Plan, learners: usize) {
        let mut random = Random::new(plan.seed, &format!("enrolments {}", self.id));
        for learner in 0..learners {
            let chosen = random.below(self.rank as u64 + 2) == 0;
            let days_before = random.below(60) as i64;
            let days = if random.one_in(12) { 8 } else { -1 - days_before };
            let enrolment = Enrolment {
                learner,
                date: later(plan.first_day, days),
                time: format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60)),
                mode: random.weighted(&[(60, "audit"), (30, "honor"), (9, "verified"), (1, "")]),
                anonymous_id: random.hex(32),
            };
            if chosen || learner < 8 {
                self.enrolments.push(enrolment);
            }
        }
    }
}

/// The first seven each have a trap of their own; the third and the fourth share one package prefix.
fn naming(rank: usize) -> (Spelling, String, String) {
    let (spelling, number, run) = match rank {
        0 => (Spelling::New, "CHEM", "R1"),
        1 => (Spelling::Old, "BIO-1.2x", "2014_T1"),
        2 => (Spelling::Old, "PHY-101", "T1"),
        3 => (Spelling::Old, "PHY", "101-T1"),
        4 => (Spelling::Ccx(82), "CHEM", "R1"),
        5 => (Spelling::New, "Öko-1x", "2T2015"),
        6 => (Spelling::Old, "course", "course-prod-analytics"),
        _ => return plain_naming(rank),
    };
    (spelling, number.into(), run.into())
}

fn plain_naming(rank: usize) -> (Spelling, String, String) {
    let subject = ["MATH", "HIST", "LING", "CS", "ECON", "ART", "LAW"][rank % 7];
    let spelling = if rank.is_multiple_of(3) { Spelling::Old } else { Spelling::New };
    (spelling, format!("{subject}{rank:03}x"), format!("{}T2015", 1 + rank % 3))
}
