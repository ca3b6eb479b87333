//! The configuration as it is in effect, in one line; every setting that it does not name is at its default.

use crate::doctor::{Case, Report};
use crate::error::Error;

const CHECK: &str = "configuration";

pub fn check(case: &Case<'_>, report: &mut Report<'_>) {
    let (from_file, typed) = case.typed.in_words();
    let mut parts = match (&case.typed.file, case.file_error) {
        (_, Some(error)) => {
            report.wrong(CHECK, &error.clone().advise("what follows goes by the command line alone"));
            Vec::new()
        }
        (Some(path), None) => vec![format!("{}: {}", path.display(), or_nothing(&from_file))],
        (None, None) => vec!["no configuration file".to_owned()],
    };
    if case.file_error.is_none() {
        if !typed.is_empty() {
            parts.push(format!("on the command line: {}", typed.join(" ")));
        }
        report.ok(CHECK, parts.join("; "));
    }
    if case.settings.orgs.is_empty() {
        let error = Error::usage("no organisation, so neither its buckets nor its cache folder are looked at");
        report.wrong(CHECK, &error.advise("name it with --org, as in the file names, like --org chalmersx"));
    }
}

fn or_nothing(words: &[String]) -> String {
    if words.is_empty() { "says nothing that counts".to_owned() } else { words.join(" ") }
}
