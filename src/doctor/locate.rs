//! updatedb, which would walk a mount every night and list its names for everybody: is it told to leave it out?

use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::{Case, Report};

const CHECK: &str = "updatedb";
const FS_TYPE: &str = "fuse.edxfs";

/// `points` are the mounts that are known; says nothing where there is no updatedb.
pub fn check(case: &Case<'_>, points: &[PathBuf], report: &mut Report<'_>) {
    let path = case.machine.etc.join("updatedb.conf");
    let Ok(text) = fs::read_to_string(&path) else { return };
    match missing(&text, points) {
        None => report.ok(CHECK, format!("{} leaves edxfs out", path.display())),
        Some(line) => {
            report.warn(CHECK, format!("it would walk the mounts every night; in {} write: {line}", path.display()));
        }
    }
}

/// The line that PRUNEFS has to become; None where mounts are left out by their type, or all that are known by path.
fn missing(text: &str, points: &[PathBuf]) -> Option<String> {
    let types = words(text, "PRUNEFS");
    if types.iter().any(|known| known.eq_ignore_ascii_case(FS_TYPE)) {
        return None;
    }
    let paths = words(text, "PRUNEPATHS");
    let left_out = |point: &PathBuf| paths.iter().any(|path| point.starts_with(Path::new(path)));
    if !points.is_empty() && points.iter().all(left_out) {
        return None;
    }
    let types: Vec<&str> = types.into_iter().chain([FS_TYPE]).collect();
    Some(format!("PRUNEFS=\"{}\"", types.join(" ")))
}

/// The words of `NAME = "…"` in updatedb.conf(5).
fn words<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().strip_prefix('"')?.split('"').next())?
    });
    value.unwrap_or_default().split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "PRUNE_BIND_MOUNTS=\"yes\"\n# PRUNEFS=\"fuse.edxfs\"\nPRUNEPATHS=\"/tmp /mnt\"\n\
                        PRUNEFS = \"NFS afs fuse.sshfs\"\n";

    #[test]
    fn the_line_keeps_what_is_there() {
        let line = Some("PRUNEFS=\"NFS afs fuse.sshfs fuse.edxfs\"".to_owned());
        assert_eq!(missing(TEXT, &[]), line);
        assert_eq!(missing(TEXT, &["/home/x/edx".into(), "/mnt/edx".into()]), line);
        assert_eq!(missing("", &[]), Some("PRUNEFS=\"fuse.edxfs\"".to_owned()));
    }

    #[test]
    fn a_type_or_the_paths_are_enough() {
        assert_eq!(missing("PRUNEFS=\"proc FUSE.EDXFS\"", &["/home/x/edx".into()]), None);
        assert_eq!(missing(TEXT, &["/mnt/edx".into()]), None);
    }
}
