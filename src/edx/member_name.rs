//! Member name → course prefix, site, kind, read from the right; no zip.
//!
//! Courses hold hyphens, tables do not: a name is read from its end, and what is left is the prefix. Source: the
//! producer's `exporter/tasks.py`, and consumers for the names of before 2014.

use crate::edx::course_run::{CoursePrefix, Site};

/// What a member of a weekly package holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberKind {
    /// A TSV table; the name in lower case as in the package, ORA tables included.
    Table(String),
    Forum,
    Structure,
    Content,
    /// The organisation-wide opt-in list; has no course.
    OptIn,
}

/// A member name understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourseMember {
    /// None for the opt-in list alone.
    pub course: Option<CoursePrefix>,
    pub site: Site,
    pub kind: MemberKind,
    /// `….failed.gpg`: an error note, not the thing itself.
    pub failed: bool,
}

/// Every table that was ever exported.
const TABLES: [&str; 41] = [
    "assessment_assessment",
    "assessment_assessmentfeedback",
    "assessment_assessmentfeedback_assessments",
    "assessment_assessmentfeedback_options",
    "assessment_assessmentfeedbackoption",
    "assessment_assessmentpart",
    "assessment_criterion",
    "assessment_criterionoption",
    "assessment_peerworkflow",
    "assessment_peerworkflowitem",
    "assessment_rubric",
    "assessment_studenttrainingworkflow",
    "assessment_studenttrainingworkflowitem",
    "assessment_trainingexample",
    "assessment_trainingexample_options_selected",
    "auth_user",
    "auth_userprofile",
    "certificates_generatedcertificate",
    "course_groups_cohortmembership",
    "courseware_studentmodule",
    "credit_crediteligibility",
    "django_comment_client_role_users",
    "grades_persistentcoursegrade",
    "grades_persistentsubsectiongrade",
    "student_anonymoususerid",
    "student_courseaccessrole",
    "student_courseenrollment",
    "student_languageproficiency",
    "submissions_score",
    "submissions_scoresummary",
    "submissions_studentitem",
    "submissions_submission",
    "teams",
    "teams_membership",
    "user_api_usercoursetag",
    "user_id_map",
    "verify_student_verificationstatus",
    "wiki_article",
    "wiki_articlerevision",
    "workflow_assessmentworkflow",
    "workflow_assessmentworkflowstep",
];

/// The `name` parts met in packages, longest first where one ends another, with their sites.
const NAMES: [(&str, &str); 4] = [
    ("prod-edge-analytics", "edge"),
    ("prod-edx-replica", "prod"),
    ("prod-analytics", "prod"),
    ("edge-analytics", "edge"),
];

/// Parses the name behind `{org}-{date}/` (with or without `.gpg`); None where it is not understood: shown raw only.
pub fn parse_member(entry: &str) -> Option<CourseMember> {
    let file = entry.strip_prefix("ora/").unwrap_or(entry);
    if file.contains('/') {
        return None;
    }
    let file = file.strip_suffix(".gpg").unwrap_or(file);
    let (file, failed) = file.strip_suffix(".failed").map_or((file, false), |file| (file, true));
    let (course, site, kind) = if let Some(stem) = file.strip_suffix(".sql") {
        table(stem)?
    } else if let Some(stem) = file.strip_suffix(".xml.tar.gz") {
        fixed(stem, "course", MemberKind::Content)?
    } else if let Some(stem) = file.strip_suffix(".json") {
        fixed(stem, "course_structure", MemberKind::Structure)?
    } else if let Some(stem) = file.strip_suffix(".csv") {
        fixed(stem, "email_opt_in", MemberKind::OptIn)?
    } else {
        forum(file.strip_suffix(".mongo")?)?
    };
    let course = (kind != MemberKind::OptIn).then(|| CoursePrefix::new(course));
    Some(CourseMember { course, site, kind, failed })
}

type Reading<'a> = (&'a str, Site, MemberKind);

fn table(stem: &str) -> Option<Reading<'_>> {
    if is_cut(stem) {
        return None;
    }
    let (course, table, site) = split_at_token(stem, |token| TABLES.contains(&token))?;
    Some((course, site, MemberKind::Table(table.to_owned())))
}

fn fixed<'a>(stem: &'a str, token: &str, kind: MemberKind) -> Option<Reading<'a>> {
    if is_cut(stem) {
        return None;
    }
    let (course, _, site) = split_at_token(stem, |found| found == token)?;
    Some((course, site, kind))
}

/// The forum's file has the site alone behind the course, and on prod once had nothing.
fn forum(stem: &str) -> Option<Reading<'_>> {
    if is_cut(stem) {
        return None;
    }
    let (course, site) = match stem.rsplit_once('-') {
        Some((course, site @ ("prod" | "edge"))) => (course, site),
        _ => (stem, "prod"),
    };
    (!course.is_empty()).then(|| (course, Site::from_token(site), MemberKind::Forum))
}

/// Splits `{course}-{token}-{name}` or, of before 2014, `{course}-{token}`; the known names go before unknown ones.
fn split_at_token<'a>(stem: &'a str, is_token: impl Fn(&str) -> bool) -> Option<(&'a str, &'a str, Site)> {
    let ends_in_token =
        |stem: &'a str| stem.rsplit_once('-').filter(|(course, token)| !course.is_empty() && is_token(token));
    let known = NAMES.iter().find_map(|(name, site)| {
        let rest = stem.strip_suffix(name)?.strip_suffix('-')?;
        ends_in_token(rest).map(|(course, token)| (course, token, Site::from_token(site)))
    });
    if known.is_some() {
        return known;
    }
    let mut end = stem.len();
    loop {
        if let Some((course, token)) = ends_in_token(&stem[..end]) {
            return Some((course, token, site_of_name(stem[end..].trim_start_matches('-'))));
        }
        end = stem[..end].rfind('-')?;
    }
}

/// The site of a `name` that is not one of the known: by its parts, or the whole of it.
fn site_of_name(name: &str) -> Site {
    let has = |part: &str| name.split('-').any(|found| found == part);
    if has("edge") {
        Site::from_token("edge")
    } else if name.is_empty() || has("prod") || has("edx") {
        Site::from_token("prod")
    } else {
        Site::from_token(name)
    }
}

/// Since 2022-09 a long name is cut anywhere and ends in an MD5: what it was cannot be told any more.
fn is_cut(stem: &str) -> bool {
    const MD5_DIGITS: usize = 32;
    stem.rsplit_once('-')
        .is_some_and(|(_, last)| last.len() == MD5_DIGITS && last.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `course kind site`, and `!` where it is an error note.
    fn read(entry: &str) -> Option<String> {
        let member = parse_member(entry)?;
        let kind = match member.kind {
            MemberKind::Table(table) => table,
            other => format!("{other:?}"),
        };
        let course = member.course.map_or("-".into(), |course| course.to_string());
        Some(format!("{course} {kind} {}{}", member.site.as_str(), if member.failed { " !" } else { "" }))
    }

    #[test]
    fn names_are_read_from_the_right() {
        for (entry, expected) in [
            ("UniX-BIO-1.2x-2014_T1-auth_user-prod-analytics.sql.gpg", "UniX-BIO-1.2x-2014_T1 auth_user prod"),
            ("UniX-BIO-1.2x-2014_T1-auth_user-prod-analytics.sql", "UniX-BIO-1.2x-2014_T1 auth_user prod"),
            (
                "ora/UniX-CHEM-R1-assessment_assessmentfeedback_options-prod-edge-analytics.sql.gpg",
                "UniX-CHEM-R1 assessment_assessmentfeedback_options edge",
            ),
            ("UniX-CHEM-R1-edge.mongo.gpg", "UniX-CHEM-R1 Forum edge"),
            ("UniX-CHEM-R1-prod.mongo.gpg", "UniX-CHEM-R1 Forum prod"),
            ("UniX-CHEM-R1.mongo.gpg", "UniX-CHEM-R1 Forum prod"),
            (
                "UniX-course-course-prod-analytics-course-prod-analytics.xml.tar.gz.gpg",
                "UniX-course-course-prod-analytics Content prod",
            ),
            ("UniX-CHEM-R1-teams_membership-prod-analytics.sql.failed.gpg", "UniX-CHEM-R1 teams_membership prod !"),
            ("unix-email_opt_in-prod-analytics.csv.gpg", "- OptIn prod"),
            ("UniX-CHEM-R1-course_structure-edge-analytics.json.gpg", "UniX-CHEM-R1 Structure edge"),
            ("UniX-CHEM-R1-teams-prod-edx-replica.sql", "UniX-CHEM-R1 teams prod"),
            ("X-teams-Y-user_id_map-prod-analytics.sql", "X-teams-Y user_id_map prod"),
            ("X-teams-Y-auth_user-other-name.sql", "X-teams-Y auth_user other-name"),
            ("X-C-R-auth_user-new-edge-db.sql", "X-C-R auth_user edge"),
            ("HarvardX-CB22x-2013_Spring-auth_user.sql", "HarvardX-CB22x-2013_Spring auth_user prod"),
            ("A-B-C-ccx-101-wiki_article-prod-analytics.sql.gpg", "A-B-C-ccx-101 wiki_article prod"),
            ("A-B-prod-auth_user-prod-analytics.sql.gpg", "A-B-prod auth_user prod"),
        ] {
            assert_eq!(read(entry).as_deref(), Some(expected), "{entry}");
        }
    }

    #[test]
    fn every_table_is_known_on_every_site_and_as_an_error_note() {
        for table in TABLES {
            for (name, site) in NAMES {
                let entry = format!("A-teams-R-{table}-{name}.sql.failed.gpg");
                assert_eq!(read(&entry), Some(format!("A-teams-R {table} {site} !")));
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        let cut = format!("{}-auth_user-prod-ana-b140b895e008fcc2eeff3c21479faba3.sql.gpg", "C".repeat(190));
        for entry in [
            "",
            ".gpg",
            "README.txt",
            ".mongo.gpg",
            "-prod.mongo",
            "auth_user-prod-analytics.sql",
            "-auth_user-prod-analytics.sql",
            "A-B-C-strange_table-prod-analytics.sql.gpg",
            "HarvardX-CB22x-2013_Spring-auth_user.xml",
            "BerkeleyX-C-R-stack_exchange-prod-analytics.7z.gpg",
            "A-B-C-auth_user-prod-analytics.sql.gpg.bak",
            "other/A-B-C-auth_user-prod-analytics.sql.gpg",
            &cut,
        ] {
            assert_eq!(parse_member(entry), None, "{entry}");
        }
    }
}
