use std::io::Read;
use std::path::Path;
use std::process::Command;

use edxfs::decode::zip::{Directory, Entry, Method, open_entry};
use edxfs::error::{ErrorKind, Result};

use crate::fixtures::*;

fn member(archive: &Archive, entry: &Entry) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_entry(archive, entry)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A package as the exporter makes it, and its files.
fn package(files: &[(&str, Vec<u8>)]) -> Archive {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let top = files[0].0.split('/').next().unwrap();
    let mut zip = Command::new("zip");
    run(zip.current_dir(folder.path()).args(["--quiet", "--recurse-paths", "p.zip", top]), b"");
    Archive::new(std::fs::read(folder.path().join("p.zip")).unwrap())
}

/// A zip written by a Python script that has the open archive as `z`.
fn scripted(body: &str) -> Archive {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    let script = format!(
        "import sys, zipfile, warnings\nwarnings.simplefilter('ignore')\nz = zipfile.ZipFile(sys.argv[1], 'w')\n{body}\nz.close()\n"
    );
    python(&script, &[Path::new(&path)]);
    Archive::new(std::fs::read(path).unwrap())
}

#[test]
fn a_package_costs_one_request_for_its_directory_and_one_for_each_member() {
    let files = [
        ("o-2016-05-29/O-C-R-auth_user-prod-analytics.sql.gpg", noise(900)),
        ("o-2016-05-29/ora/O-C-R-é.sql.gpg", noise(20_000)),
        ("o-2016-05-29/O-C-R-courseware_studentmodule-prod-analytics.sql.gpg", noise(2_000_000)),
        ("o-2016-05-29/empty.gpg", vec![]),
        ("o-2016-05-29/text.sql", log_lines(400_000)),
    ];
    let archive = package(&files);
    let directory = Directory::read(&archive).unwrap();
    assert_eq!(archive.take_requests().len(), 1);
    assert_eq!((directory.entries.len(), directory.refused.len()), (5, 0), "{:?}", directory.refused);
    assert!(directory.entries.is_sorted());
    let large = &directory.entries.iter().find(|entry| entry.bytes == 2_000_000).unwrap();
    assert!(large.method == Method::Deflated && large.compressed > large.bytes);
    for (name, content) in &files {
        let entry = directory.entries.iter().find(|entry| *entry.name == **name).unwrap();
        assert!(member(&archive, entry).unwrap() == *content, "{name}");
        let requests = archive.take_requests();
        let fetched: u64 = requests.iter().map(|range| range.end - range.start).sum();
        assert!(requests.len() == 1 && fetched < entry.compressed + 1300, "{name}: {requests:?}");
    }
    let ledger = serde_json::to_string(&directory).unwrap();
    assert_eq!(serde_json::from_str::<Directory>(&ledger).unwrap(), directory);
}

#[test]
fn a_long_directory_costs_one_request_more() {
    let archive = scripted("for i in range(5000): z.writestr('o/O-C-%05d.sql.gpg' % i, b'x' * (i % 7))");
    let directory = Directory::read(&archive).unwrap();
    assert_eq!((archive.take_requests().len(), directory.entries.len()), (2, 5000));
    assert_eq!(member(&archive, &directory.entries[4999]).unwrap(), b"x");
}

#[test]
fn zip64_is_read() {
    let forced = scripted(
        "zipfile.ZIP64_LIMIT = 10\nzipfile.ZIP_FILECOUNT_LIMIT = 1\nfor n in 'abc':\n  with z.open('d/' + n, 'w', force_zip64=True) as f: f.write(n.encode() * 100)",
    );
    let many = scripted("for i in range(66000): z.writestr('o/%05d' % i, b'')");
    let comment = scripted("z.writestr('a', b'x')\nz.comment = b'c' * 65535");
    for (archive, count) in [(forced, 3), (many, 66_000), (comment, 1)] {
        let directory = Directory::read(&archive).unwrap();
        assert_eq!(directory.entries.len(), count);
        let last = directory.entries.last().unwrap();
        assert_eq!(member(&archive, last).unwrap().len() as u64, last.bytes);
    }
}

#[test]
fn unsafe_and_ambiguous_entries_are_refused_and_the_others_read() {
    let archive = scripted(
        r#"
for n in ['../up', '/abs', 'a/../b', 'a//b', 'a\\b', './dot', 'good/one', 'twice', 'twice', 'file', 'file/below', 'folder/']:
    z.writestr(n, n.encode())
link = zipfile.ZipInfo('link'); link.create_system = 3; link.external_attr = 0o120777 << 16
z.writestr(link, b'/etc/passwd')
z.writestr('bzip2', b'x' * 99, compress_type=zipfile.ZIP_BZIP2)
"#,
    );
    let directory = Directory::read(&archive).unwrap();
    let names: Vec<&str> = directory.entries.iter().map(|entry| entry.name.as_ref()).collect();
    assert_eq!(names, ["file/below", "good/one"]);
    assert_eq!(member(&archive, &directory.entries[1]).unwrap(), b"good/one");
    let reasons: Vec<String> = directory.refused.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert_eq!(reasons.len(), 11, "{reasons:#?}");
    for (name, why) in [("link", "link"), ("twice", "more than once"), ("/abs", "absolute"), ("bzip2", "method")] {
        assert!(directory.refused.iter().any(|(refused, because)| refused == name && because.contains(why)), "{name}");
    }
}

#[test]
fn encrypted_entries_and_names_in_no_unicode_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), b"x").unwrap();
    run(Command::new("zip").current_dir(folder.path()).args(["-q", "-P", "p", "p.zip", "secret"]), b"");
    let mut archive = Archive::new(std::fs::read(folder.path().join("p.zip")).unwrap());
    let refused = Directory::read(&archive).unwrap().refused;
    assert!(refused[0].1.contains("encrypted"), "{refused:?}");
    for at in 0..archive.content.len() - 6 {
        if archive.content[at..].starts_with(b"secret") {
            archive.content[at] = 0xff;
        }
    }
    let refused = Directory::read(&archive).unwrap().refused;
    assert!(refused[0].1.contains("not UTF-8"), "{refused:?}");
}

#[test]
fn damage_is_found_in_the_member_that_has_it() {
    let files = [("d/a", log_lines(60_000)), ("d/b", noise(30_000)), ("d/c", b"hello".to_vec())];
    let good = package(&files);
    let directory = Directory::read(&good).unwrap();
    for entry in &directory.entries {
        let end = entry.offset + 30 + entry.name.len() as u64 + 28 + entry.compressed;
        let header = [0, 1, 26, 31];
        let data = (entry.offset + 60..end.min(good.content.len() as u64)).step_by(503).map(|at| at as usize);
        for at in header.map(|at| entry.offset as usize + at).into_iter().chain(data) {
            let mut bad = good.content.clone();
            bad[at] ^= 4;
            let bad = Archive::new(bad);
            match member(&bad, entry) {
                Ok(bytes) => assert!(files.iter().any(|file| file.1 == bytes), "{} at {at}", entry.name),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
            }
        }
    }
    let lying = Entry { bytes: 4, ..directory.entries[2].clone() };
    assert_eq!(member(&good, &lying).unwrap_err().kind(), ErrorKind::Corrupt);
    let lying = Entry { offset: 1 << 40, ..directory.entries[2].clone() };
    assert_eq!(member(&good, &lying).unwrap_err().kind(), ErrorKind::Corrupt);
    let moved = Entry { name: "d/x".into(), ..directory.entries[2].clone() };
    assert_eq!(member(&good, &moved).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn what_is_no_zip_is_corrupt_and_costs_little() {
    let whole = package(&[("d/a", noise(500_000))]).content;
    for content in [vec![], b"PK".to_vec(), noise(100), noise(3_000_000), whole[..whole.len() - 30].to_vec()] {
        let archive = Archive::new(content);
        assert_eq!(Directory::read(&archive).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(archive.take_requests().len() <= 2);
    }
    for at in whole.len() - 140..whole.len() {
        for bit in [1, 0x80] {
            let mut bad = whole.clone();
            bad[at] ^= bit;
            let archive = Archive::new(bad);
            let Ok(directory) = Directory::read(&archive) else { continue };
            for entry in &directory.entries {
                if let Ok(bytes) = member(&archive, entry) {
                    assert!(bytes == noise(500_000), "byte {at}");
                }
            }
        }
    }
}

#[test]
fn a_bomb_in_a_zip_ends_early() {
    let archive = scripted("z.writestr('bomb', b'\\0' * (200 << 20), compress_type=zipfile.ZIP_DEFLATED)");
    let directory = Directory::read(&archive).unwrap();
    let error = member(&archive, &directory.entries[0]).map(|bytes| bytes.len()).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("bomb"), "{error}");
}
