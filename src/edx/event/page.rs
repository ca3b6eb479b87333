//! The pages of a course, by the paths that the server's events state.

use std::borrow::Cow;

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::percent_decode;

/// A kind of page or handler, in the order of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageKind {
    About,
    Courseware,
    Discussion,
    Handler,
    Info,
    /// Also every path that is not below the course's own.
    Other,
    Progress,
    StaticTab,
    Teams,
    Textbook,
    Wiki,
}

/// A part of the course whose visits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Courseware,
    Discussion,
    Info,
    Progress,
}

const HANDLERS: [&str; 3] = ["/xblock", "/modx", "/xqueue"];

/// Verbs that end the paths of a discussion's handlers.
const VERBS: [&str; 3] = ["create", "reply", "upvote"];

const KINDS: [(&str, PageKind); 13] = [
    ("/courseware", PageKind::Courseware),
    ("/jump_to_id", PageKind::Courseware),
    ("/info", PageKind::Info),
    ("/progress", PageKind::Progress),
    ("/about", PageKind::About),
    ("/course_wiki", PageKind::Wiki),
    ("/wiki", PageKind::Wiki),
    ("/discussion/forum", PageKind::Discussion),
    ("/discussion/threads", PageKind::Discussion),
    ("/discussion/comments", PageKind::Discussion),
    ("/pdfbook", PageKind::Textbook),
    ("/book", PageKind::Textbook),
    ("/teams", PageKind::Teams),
];

const SECTIONS: [(&str, Section); 4] = [
    ("/courseware", Section::Courseware),
    ("/discussion/forum", Section::Discussion),
    ("/info", Section::Info),
    ("/progress", Section::Progress),
];

impl PageKind {
    pub const ALL: [PageKind; 11] = [
        PageKind::About,
        PageKind::Courseware,
        PageKind::Discussion,
        PageKind::Handler,
        PageKind::Info,
        PageKind::Other,
        PageKind::Progress,
        PageKind::StaticTab,
        PageKind::Teams,
        PageKind::Textbook,
        PageKind::Wiki,
    ];

    /// `below`: what follows the course's address in a path, as [`Addresses::below`] gives it.
    pub fn of(below: &str) -> PageKind {
        if HANDLERS.iter().any(|address| is_at(below, address)) || is_discussion_handler(below) {
            return PageKind::Handler;
        }
        let kind = KINDS.iter().find(|(address, _)| is_at(below, address)).map(|(_, kind)| *kind);
        kind.unwrap_or(if is_static_tab(below) { PageKind::StaticTab } else { PageKind::Other })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            PageKind::About => "about",
            PageKind::Courseware => "courseware",
            PageKind::Discussion => "discussion",
            PageKind::Handler => "handler",
            PageKind::Info => "info",
            PageKind::Other => "other",
            PageKind::Progress => "progress",
            PageKind::StaticTab => "static_tab",
            PageKind::Teams => "teams",
            PageKind::Textbook => "textbook",
            PageKind::Wiki => "wiki",
        }
    }
}

impl Section {
    /// `below`: as in [`PageKind::of`].
    pub fn of(below: &str) -> Option<Section> {
        SECTIONS.iter().find(|(address, _)| is_at(below, address)).map(|(_, section)| *section)
    }
}

/// The page itself, or one below it.
fn is_at(path: &str, address: &str) -> bool {
    path.strip_prefix(address).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_discussion_handler(path: &str) -> bool {
    is_at(path, "/discussion") && path.rsplit('/').next().is_some_and(|last| VERBS.contains(&last))
}

/// `/` and 32 digits.
fn is_static_tab(path: &str) -> bool {
    path.len() == 33 && path.starts_with('/') && path[1..].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What the paths of a course's pages begin with.
#[derive(Clone, Debug)]
pub struct Addresses(Vec<String>);

impl Addresses {
    /// Both spellings where the id has three parts and nothing else, `course-v1:O+C+R` and `O/C/R`; else its own.
    pub fn of(course: &CourseId) -> Self {
        let id = course.as_str();
        let parts: Vec<&str> = match id.strip_prefix("course-v1:") {
            Some(rest) => rest.split('+').collect(),
            None => id.split('/').collect(),
        };
        match parts[..] {
            [org, number, run] if !run.is_empty() => {
                let new = format!("/courses/course-v1:{org}+{number}+{run}");
                Addresses(vec![new, format!("/courses/{org}/{number}/{run}")])
            }
            _ => Addresses(vec![format!("/courses/{id}")]),
        }
    }

    /// What follows the course's address in `path`, without query, fragment and one slash at the end; None where that
    /// is not the course's own.
    pub fn below<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        let end = memchr::memchr2(b'?', b'#', path.as_bytes()).unwrap_or(path.len());
        let path = &path[..end];
        if memchr::memchr(b'%', path.as_bytes()).is_some() {
            let decoded = percent_decode(path);
            return self.strip(&decoded).map(|below| Cow::Owned(below.to_owned()));
        }
        self.strip(path).map(Cow::Borrowed)
    }

    fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let below = |address: &String| path.strip_prefix(address.as_str());
        self.0.iter().filter_map(below).find(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(id: &str) -> Addresses {
        Addresses::of(&CourseId::parse(id).expect("valid"))
    }

    #[test]
    fn a_path_may_spell_the_course_either_way_and_must_name_it_whole() {
        let (new, old) = (addresses("course-v1:A+B+C"), addresses("A/B/C"));
        for course in [&new, &old] {
            for (path, below) in [
                ("/courses/A/B/C", Some("")),
                ("/courses/A/B/C/", Some("")),
                ("/courses/A/B/C//", Some("/")),
                ("/courses/A/B/C/info?x=/courses", Some("/info")),
                ("/courses/A/B/C/info/#a", Some("/info")),
                ("/courses/course-v1:A+B+C/progress/7/", Some("/progress/7")),
                ("/courses/course-v1%3AA%2BB%2BC/courseware/%25/", Some("/courseware/%")),
                ("/courses/A/B/CD/info", None),
                ("/courses/course-v1:A+B+C+D/info", None),
                ("/x/courses/A/B/C/info", None),
                ("/", None),
            ] {
                assert_eq!(course.below(path).as_deref(), below, "{path}");
            }
        }
        let ccx = addresses("ccx-v1:A+B+C+ccx@7");
        assert_eq!(ccx.below("/courses/ccx-v1:A+B+C+ccx@7/info").as_deref(), Some("/info"));
        assert_eq!(ccx.below("/courses/A/B/C/info"), None);
        assert_eq!(addresses("A/B/").below("/courses/A/B//info").as_deref(), Some("/info"));
    }

    #[test]
    fn pages_have_their_kinds_and_handlers_come_first() {
        for (below, kind, section) in [
            ("", PageKind::Other, None),
            ("/courseware", PageKind::Courseware, Some(Section::Courseware)),
            ("/courseware/a/b", PageKind::Courseware, Some(Section::Courseware)),
            ("/coursewares", PageKind::Other, None),
            ("/jump_to_id/x", PageKind::Courseware, None),
            ("/info", PageKind::Info, Some(Section::Info)),
            ("/progress/7", PageKind::Progress, Some(Section::Progress)),
            ("/about", PageKind::About, None),
            ("/course_wiki", PageKind::Wiki, None),
            ("/wiki/a", PageKind::Wiki, None),
            ("/discussion/forum/x/threads/y", PageKind::Discussion, Some(Section::Discussion)),
            ("/discussion/forum/x/threads/create", PageKind::Handler, Some(Section::Discussion)),
            ("/discussion/threads/x/reply", PageKind::Handler, None),
            ("/discussion/threads/x", PageKind::Discussion, None),
            ("/discussion/users/7", PageKind::Other, None),
            ("/pdfbook/0/", PageKind::Textbook, None),
            ("/book/0", PageKind::Textbook, None),
            ("/teams", PageKind::Teams, None),
            ("/xblock/courseware/info", PageKind::Handler, None),
            ("/0f0e0d0c0b0a09080706050403020100", PageKind::StaticTab, None),
            ("/0f0e0d0c0b0a0908070605040302010G", PageKind::Other, None),
            ("/0f0e0d0c0b0a09080706050403020100/x", PageKind::Other, None),
        ] {
            assert_eq!((PageKind::of(below), Section::of(below)), (kind, section), "{below}");
        }
    }

    #[test]
    fn kinds_are_in_the_order_of_their_texts() {
        assert!(PageKind::ALL.map(PageKind::as_str).is_sorted());
        assert!(PageKind::ALL.is_sorted());
    }
}
