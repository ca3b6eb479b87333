//! The tools: each reads a file that nobody has opened before, so that its size is a stand-in, and must say of it
//! what it says of a plain copy made with gpg, gunzip and Python.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Mount, small_package, xattr};
use crate::mounted;
use crate::truth::Truth;

/// What a tool reads.
#[derive(Clone, Copy)]
enum Input {
    /// A course's event file of a day that no other row uses.
    Events,
    /// Likewise, the day of a site that is still gzip.
    Compressed,
    /// A table of a course, in a zip.
    Table(&'static str),
}

/// `command` runs in a shell with its folder at the top of the tree, `$F` being the file there and `$O` an empty
/// folder elsewhere. What it prints must be equal over the mount and over plain files.
struct Tool {
    name: &'static str,
    input: Input,
    command: &'static str,
}

const fn events(name: &'static str, command: &'static str) -> Tool {
    Tool { name, input: Input::Events, command }
}

const fn table(name: &'static str, table: &'static str, command: &'static str) -> Tool {
    Tool { name, input: Input::Table(table), command }
}

/// Not here: Python's `tarfile.add` and what else stores the size of a `stat` before it opens the file; it says that
/// the file is too short. `--sizes exact` is for those.
const TOOLS: &[Tool] = &[
    events("cat", "cat $F"),
    // It pads its columns by the sum of the sizes before it opens anything.
    events("wc", "wc $F | tr -s ' '"),
    events("wc -c, which trusts a size", "wc -c < $F"),
    events("grep", "grep -n problem $F"),
    events(
        "awk",
        "awk -F'\"' '{ n[$4]++; s += length($0) } END { for (k in n) print k, n[k] | \"sort\"; print s }' $F",
    ),
    events("sed", "sed -n -e '1p' -e 's/event_source/&!/gp' -e '$p' $F"),
    events("head", "head -n 3 $F; head -c 1000 $F"),
    events("tail -n, which looks from the end", "tail -n 2 $F"),
    events("tail -c, which looks from the end", "tail -c 333 $F"),
    events("less", "LESSCHARSET=utf-8 less $F | cat"),
    events("cp", "cp -p $F $O/copy; cat $O/copy; stat -c %s $O/copy"),
    events("tar", "tar -cf $O/t.tar $F && mkdir $O/x && tar -xf $O/t.tar -C $O/x && tar -df $O/t.tar && cat $O/x/$F"),
    events("rsync", "rsync -a $F $O/ && rsync -a --checksum --itemize-changes $F $O/ && cat $O/* && stat -c %s $O/*"),
    events("find", "find $(dirname $F) -type f -name $(basename $F) -size +0 ! -empty -exec cat {} +"),
    events("file", "file $F"),
    events("sha256sum", "sha256sum $F"),
    Tool { name: "zcat", input: Input::Compressed, command: "zcat $F" },
    events(
        "perl",
        "perl -ne '$n++; $c{$1}++ if /\"event_type\": \"([^\"]*)\"/; END { print \"$n\\n\"; print \"$_ $c{$_}\\n\" for sort keys %c }' $F",
    ),
    events("perl -s", "perl -e 'open F, $ARGV[0]; print -s F, \"\\n\"; seek F, -100, 2; print <F>' $F"),
    events(
        "python3 open",
        "python3 -c 'import sys; b = open(sys.argv[1], \"rb\").read(); print(len(b)); sys.stdout.flush(); sys.stdout.buffer.write(b)' $F",
    ),
    events(
        "python3 mmap",
        "python3 -c 'import mmap, sys; f = open(sys.argv[1], \"rb\"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); \
         print(len(m), m.rfind(b\"{\")); sys.stdout.flush(); sys.stdout.buffer.write(m[:])' $F",
    ),
    table(
        "python3 csv",
        "student_courseenrollment",
        "python3 -c 'import csv, sys; rows = list(csv.reader(open(sys.argv[1], newline=\"\"), delimiter=\"\\t\", quoting=csv.QUOTE_NONE)); \
         print(len(rows), rows)' $F",
    ),
    table(
        "sqlite3 .import",
        "certificates_generatedcertificate",
        "sqlite3 :memory: -cmd '.mode tabs' -cmd \".import $F t\" '.mode insert' 'SELECT COUNT(*) FROM t; SELECT * FROM t'",
    ),
    table(
        "sort, cut and join",
        "auth_userprofile",
        "tail -n +2 $F | cut -f 1,2 | sort -k 2 | join -1 2 - /dev/null -a 1",
    ),
];

#[test]
fn each_tool_reads_a_freshly_mounted_file_right() {
    let made = small_package();
    let truth = Truth::of(&made, "recall");
    let mount = mounted(&[]);
    let plain = tempfile::tempdir().expect("a temporary folder");
    let mut wrong = Vec::new();
    let mut days = unread_days(&truth);
    for tool in TOOLS {
        let file = match tool.input {
            Input::Table(table) => {
                let file = format!("courses/UniX-CHEM-R1/tables/{table}.tsv");
                let week =
                    made.plain.as_ref().expect("it was kept").join("course-data/unix-2015-03-15/unix-2015-03-15");
                let source = week.join(format!("UniX-CHEM-R1-{table}-prod-analytics.sql"));
                put(plain.path(), &file, &fs::read(source).expect("the newest package has it"));
                file
            }
            Input::Events | Input::Compressed => {
                let (site, date) = days.pop().expect("a day for each tool");
                put_day(plain.path(), tool.input, &truth, site, &date)
            }
        };
        if let Err(how) = compare(tool, &mount, plain.path(), &file) {
            wrong.push(format!("{}: {how}", tool.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each day of each site, the sites' large days at the end.
fn unread_days(truth: &Truth) -> Vec<(&'static str, String)> {
    let of_site = |site: &'static str| truth.dates(site).into_iter().map(move |date| (site, date));
    of_site("edge").chain(of_site("prod")).collect()
}

/// Makes the plain copy of a day's file; its name in the tree.
fn put_day(plain: &Path, input: Input, truth: &Truth, site: &str, date: &str) -> String {
    let (suffix, token) = if site == "edge" { ("@edge", "edge") } else { ("", "edx") };
    if let Input::Compressed = input {
        let file = format!("edx-course-data/{token}/events/2015/unix-{token}-events-{date}.log.gz");
        let log = file.trim_end_matches(".gz");
        put(plain, log, &truth.day(site, date).expect("it is one of the days"));
        crate::common::run(Command::new("gzip").arg(plain.join(log)));
        return file;
    }
    let file = format!("courses/UniX-CHEM-R1{suffix}/events/{date}.log");
    put(plain, &file, &truth.lines(site, date, "course-v1:UniX+CHEM+R1"));
    file
}

fn put(plain: &Path, file: &str, content: &[u8]) {
    assert!(!content.is_empty(), "{file} shows nothing");
    let path = plain.join(file);
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
    fs::write(path, content).expect("a file can be made");
}

fn compare(tool: &Tool, mount: &Mount, plain: &Path, file: &str) -> Result<(), String> {
    assert_eq!(xattr(&mount.path(file), "user.edxfs.size").as_deref(), Some("stand-in"), "{file} is known already");
    let right = shell(tool.command, plain, file)?;
    let served = shell(tool.command, &mount.point, file)?;
    if right.is_empty() {
        return Err("prints nothing".to_owned());
    }
    if served == right {
        return Ok(());
    }
    let at = served.iter().zip(&right).take_while(|(a, b)| a == b).count();
    Err(format!("{} bytes over the mount, {} over the plain file, different from {at} on", served.len(), right.len()))
}

fn shell(command: &str, top: &Path, file: &str) -> Result<Vec<u8>, String> {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let mut shell = Command::new("sh");
    shell.args(["-euc", command]).current_dir(top).env("F", file).env("O", empty.path()).env("LC_ALL", "C");
    let output = shell.output().expect("there is a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && errors.is_empty() {
        return Ok(output.stdout);
    }
    Err(format!("{} in {}: {errors}", output.status, top.display()))
}
