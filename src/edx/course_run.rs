//! Course runs in their spellings: course id, package prefix, folder name. Nowhere else splits or joins one.
//!
//! The grammar is that of the opaque-keys library, which the package's producer uses: `course-v1:O+C+R`,
//! `ccx-v1:O+C+R+ccx@N` and the old `O/C/R`. Not taken as course runs, though the library parses them: libraries,
//! keys that consist of a version alone, and the never used alias `slashes:`.

use std::fmt;
use std::sync::Arc;

/// An edX site, its spellings unified: `edx` and `prod` are `prod`; `edge`; any other token stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(Arc<str>);

impl Site {
    pub fn from_token(token: &str) -> Self {
        Site(if token == "edx" { "prod".into() } else { token.into() })
    }
    /// `prod`, `edge`, …
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What a folder name has behind it: nothing for prod, `@edge`, `@other`.
    pub fn suffix(&self) -> String {
        if &*self.0 == "prod" { String::new() } else { format!("@{}", self.0) }
    }
}

/// A valid course key as it stands in events (never a library key).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CourseId(Arc<str>);

impl CourseId {
    /// The id, if the text is exactly one; white space around it makes it invalid.
    pub fn parse(text: &str) -> Option<Self> {
        Parts::of_course(text).map(|_| CourseId(text.into()))
    }

    /// The course of a key that may go on with `+type@…+block@…`, as course keys in URLs sometimes do.
    pub fn of_url_key(text: &str) -> Option<Self> {
        let parts = Parts::of_course(text)?;
        Some(CourseId(text[..text.len() - parts.block_bytes].into()))
    }

    /// The course of a `block-v1:` or `ccx-block-v1:` usage id; other ids name no run.
    pub fn of_block(text: &str) -> Option<Self> {
        let (namespace, rest, family) = if let Some(rest) = text.strip_prefix("block-v1:") {
            ("course-v1:", rest, Family::Course)
        } else {
            ("ccx-v1:", text.strip_prefix("ccx-block-v1:")?, Family::Ccx)
        };
        let parts = Parts::of_new_key(rest, family)?;
        let block = rest.rsplit('+').next()?.split_once("@")?;
        let names_a_block = block.0.eq_ignore_ascii_case("block") && block.1.chars().all(is_key_char);
        names_a_block.then(|| CourseId(format!("{namespace}{}", &rest[..rest.len() - parts.block_bytes]).into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Organisation, course and run; a CCX's run is that of the course it was made from.
    pub fn parts(&self) -> [&str; 3] {
        let parts = Parts::of_course(&self.0).expect("a CourseId is made of valid text only");
        [parts.org, parts.course, parts.run]
    }

    /// The prefix that the package uses for this id: its parts joined by `-`, what is not ASCII as `_`.
    pub fn prefix(&self) -> CoursePrefix {
        let parts = Parts::of_course(&self.0).expect("a CourseId is made of valid text only");
        let mut prefix = [parts.org, parts.course, parts.run].join("-");
        if let Some(number) = parts.ccx {
            prefix.push_str("-ccx-");
            prefix.push_str(number);
        }
        CoursePrefix::new(&prefix)
    }
}

impl fmt::Display for CourseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `{org}-{course}-{run}` as file names in the weekly package begin, never split; other than ASCII is `_` there since
/// 2019-12 and here always, so that a course's older packages are its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoursePrefix(Arc<str>);

impl CoursePrefix {
    pub fn new(prefix: &str) -> Self {
        CoursePrefix(prefix.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect::<String>().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CoursePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of the two new namespaces: a CCX key has a number, and its field names stand in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Course,
    Ccx,
}

/// A course key taken apart.
struct Parts<'a> {
    org: &'a str,
    course: &'a str,
    run: &'a str,
    ccx: Option<&'a str>,
    /// Length of the `+type@…+block@…` behind the course part.
    block_bytes: usize,
}

impl<'a> Parts<'a> {
    fn of_course(text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("course-v1:") {
            Parts::of_new_key(rest, Family::Course)
        } else if let Some(rest) = text.strip_prefix("ccx-v1:") {
            Parts::of_new_key(rest, Family::Ccx)
        } else {
            Parts::of_old_key(text)
        }
    }

    /// `O/C/R`; the library takes an empty run, so do we.
    fn of_old_key(text: &'a str) -> Option<Self> {
        let mut fields = text.split('/');
        let (org, course, run) = (fields.next()?, fields.next()?, fields.next()?);
        let valid = fields.next().is_none()
            && !org.is_empty()
            && !course.is_empty()
            && [org, course, run].iter().all(|field| field.chars().all(is_old_key_char));
        valid.then_some(Parts { org, course, run, ccx: None, block_bytes: 0 })
    }

    /// `O+C+R[+branch@…][+version@…][+ccx@N][+type@…][+block@…]`, what stands behind the namespace.
    fn of_new_key(rest: &'a str, family: Family) -> Option<Self> {
        let mut fields = rest.split('+').peekable();
        let (org, course, run) = (fields.next()?, fields.next()?, fields.next()?);
        let valid = |text: &str| !text.is_empty() && text.chars().all(is_key_char);
        if ![org, course, run].into_iter().all(valid) {
            return None;
        }
        let mut take = |name: &str, value: fn(&str) -> bool| -> Option<&'a str> {
            let found = fields.next_if(|field| field_value(field, name, family).is_some_and(value))?;
            field_value(found, name, family)
        };
        let is_field = |text: &str| !text.is_empty() && text.chars().all(is_key_char);
        take("branch", is_field);
        take("version", |text| text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        let ccx = match family {
            Family::Course => None,
            Family::Ccx => Some(take("ccx", |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))?),
        };
        let kind = take("type", is_field);
        let block = take("block", |text| !text.is_empty() && text.chars().all(|c| is_key_char(c) || c == '%'));
        let block_bytes =
            kind.map_or(0, |kind| "+type@".len() + kind.len()) + block.map_or(0, |block| "+block@".len() + block.len());
        fields.next().is_none().then_some(Parts { org, course, run, ccx, block_bytes })
    }
}

fn field_value<'a>(field: &'a str, name: &str, family: Family) -> Option<&'a str> {
    let (found, value) = field.split_once('@')?;
    let same = match family {
        Family::Course => found == name,
        Family::Ccx => found.eq_ignore_ascii_case(name),
    };
    same.then_some(value)
}

fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '~' | '.' | ':')
}

fn is_old_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_organisation_course_and_run() {
        for (id, parts) in [
            ("MITx/6.00.1-x/1T2014", ["MITx", "6.00.1-x", "1T2014"]),
            ("ccx-v1:FooX+CourseX+3T2015+ccx@82", ["FooX", "CourseX", "3T2015"]),
        ] {
            assert_eq!(CourseId::parse(id).expect(id).parts(), parts);
        }
    }

    #[test]
    fn every_form_of_a_course_id_gives_the_prefix_of_its_files() {
        for (id, prefix) in [
            ("MITx/6.002x/2012_Fall", "MITx-6.002x-2012_Fall"),
            ("MITx/6.00.1-x/1T2014", "MITx-6.00.1-x-1T2014"),
            ("course-v1:MITx+6.00.1x_6+2T2015", "MITx-6.00.1x_6-2T2015"),
            ("course-v1:a.b~c+d:e+f-g", "a.b~c-d:e-f-g"),
            ("ccx-v1:FooX+CourseX+3T2015+ccx@82", "FooX-CourseX-3T2015-ccx-82"),
            ("course-v1:Å+Kö+Σ1", "_-K_-_1"),
            ("course-v1:O+C+R+branch@draft-branch", "O-C-R"),
            ("course-v1%3AedX%2BDemoX%2BR1/courseware/abc", "course-v1%3AedX%2BDemoX%2BR1-courseware-abc"),
        ] {
            let parsed = CourseId::parse(id).expect(id);
            assert_eq!((parsed.to_string().as_str(), parsed.prefix().as_str()), (id, prefix));
        }
    }

    #[test]
    fn what_is_no_course_run_is_refused() {
        for text in [
            "",
            "edX",
            "edX/DemoX",
            "edX/DemoX/R1/info",
            "edX//R1",
            "/DemoX/R1",
            "edX/DemoX/R1#",
            "edX/Demo~X/R1",
            "edX/DemoX/R 1",
            " edX/DemoX/R1",
            "edX/DemoX/R1\n",
            "library-v1:edX+L1",
            "lib:edX:L1",
            "course-v1:edX+DemoX",
            "course-v1:edX+DemoX+",
            "course-v1:edX+DemoX+R1+",
            "course-v1:edX+DemoX+R1+R2",
            "course-v1:edX+DemoX+R%31",
            "course-v1:edX/DemoX/R1",
            "course-v1:version@519665f6223ebd6980884f2b",
            "Course-v1:edX+DemoX+R1",
            "ccx-v1:edX+DemoX+R1",
            "ccx-v1:edX+DemoX+R1+ccx@",
            "ccx-v1:edX+DemoX+R1+ccx@x",
            "block-v1:edX+DemoX+R1+type@problem+block@p1",
            "i4x://edX/DemoX/problem/p1",
        ] {
            assert_eq!(CourseId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_usage_id_names_its_course() {
        for (block, course) in [
            ("block-v1:edX+DemoX+R1+type@problem+block@p1", Some("course-v1:edX+DemoX+R1")),
            ("block-v1:edX+DemoX+R1+block@p1", Some("course-v1:edX+DemoX+R1")),
            ("block-v1:edX+DemoX+R1+branch@b+type@problem+block@p1", Some("course-v1:edX+DemoX+R1+branch@b")),
            ("ccx-block-v1:edX+DemoX+R1+ccx@7+type@problem+block@p1", Some("ccx-v1:edX+DemoX+R1+ccx@7")),
            ("block-v1:edX+DemoX+R1+type@problem", None),
            ("block-v1:edX+DemoX+R1", None),
            ("block-v1:edX+DemoX+R1+type@problem+block@p%31", None),
            ("lib-block-v1:edX+L1+type@problem+block@p1", None),
            ("i4x://edX/DemoX/problem/p1", None),
        ] {
            assert_eq!(CourseId::of_block(block).as_ref().map(CourseId::as_str), course, "{block}");
        }
        let key = CourseId::of_url_key("course-v1:edX+DemoX+R1+type@problem+block@p1");
        assert_eq!(key.as_ref().map(CourseId::as_str), Some("course-v1:edX+DemoX+R1"));
    }
}
