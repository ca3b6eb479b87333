use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use edxfs::decode::tar::{entries, unpack};
use edxfs::decode::zip::open_entry;
use edxfs::error::{Error, ErrorKind, Result};

use crate::fixtures::*;

type Files = Vec<(String, Vec<u8>)>;

fn unpacked(tar: &[u8]) -> Result<(Files, Vec<(String, String)>)> {
    let mut files = Vec::new();
    let refused = unpack(&mut Cursor::new(tar), &mut |name, reader| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        files.push((name.to_owned(), bytes));
        Ok(())
    })?;
    Ok((files, refused))
}

/// A tar by GNU tar of these files, in this order.
fn tarred(files: &[(&str, Vec<u8>)], options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("tar");
    command.arg("-C").arg(folder.path()).args(options).args(["-cf", "-"]);
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        command.arg(name);
    }
    run(&mut command, b"")
}

/// A tar by a Python script that has it open as `t`.
fn scripted(body: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.tar");
    let script = format!(
        "import io, os, sys, tarfile\nt = tarfile.open(sys.argv[1], 'w')\ndef add(name, data=b'x', kind=tarfile.REGTYPE):\n  i = tarfile.TarInfo(name); i.type = kind; i.linkname = 'good'; i.size = len(data) if kind == tarfile.REGTYPE else 0; t.addfile(i, io.BytesIO(data))\n{body}\nt.close()\n"
    );
    python(&script, &[Path::new(&path)]);
    std::fs::read(path).unwrap()
}

#[test]
fn a_tracking_tar_is_listed_by_hops_and_read_by_ranges() {
    let long = format!("prod-edx-001/{}/x.log.gpg", "n".repeat(150));
    let files = [
        ("prod-edx-001/2012-09-01-o.log.gpg", noise(700_000)),
        ("prod-edge-001/2012-09-01-o.log.gpg", noise(300)),
        ("prod-edge-001/2012-09-02-o.log.gpg", vec![]),
        (long.as_str(), noise(2_000_000)),
    ];
    for format in ["--format=gnu", "--format=pax", "--format=ustar", "--format=oldgnu"] {
        let kept = if format == "--format=ustar" { &files[..3] } else { &files[..] };
        let tar = tarred(kept, &[format]);
        assert!(
            unpacked(&tar)
                .unwrap()
                .0
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes))
                .eq(kept.iter().map(|(n, b)| (*n, b)))
        );
        let archive = Archive::new(tar);
        let directory = entries(&archive).unwrap();
        let fetched: u64 = archive.take_requests().iter().map(|range| range.end - range.start).sum();
        assert!(fetched <= 4 * (64 << 10), "{format}: {fetched}");
        assert_eq!(directory.entries.len(), kept.len());
        for (name, content) in kept {
            let entry = directory.entries.iter().find(|entry| *entry.name == **name).unwrap();
            let mut bytes = Vec::new();
            open_entry(&archive, entry).unwrap().read_to_end(&mut bytes).unwrap();
            assert!(bytes == *content, "{format}: {name}");
            assert!(archive.take_requests().len() <= 1);
        }
    }
}

#[test]
fn a_nameless_root_and_leading_dots_are_tolerated() {
    for root in ["''", "'/'", "'./'", "'.'"] {
        let tar = scripted(&format!(
            "add({root}, kind=tarfile.DIRTYPE)\nadd('./events/a.log.gz')\nadd('metadata_file.json', b'{{}}')"
        ));
        let (files, refused) = unpacked(&tar).unwrap();
        let expected =
            [("events/a.log.gz".to_owned(), b"x".to_vec()), ("metadata_file.json".to_owned(), b"{}".to_vec())];
        assert_eq!((files, refused), (expected.to_vec(), vec![]), "{root}");
    }
}

#[test]
fn links_devices_and_names_outside_are_refused() {
    let tar = scripted(
        r#"
add('../up'); add('/abs'); add('a/../../b'); add('good', b'first'); add('good', b'second'); add('a\\b')
add('link', kind=tarfile.SYMTYPE); add('hard', kind=tarfile.LNKTYPE); add('pipe', kind=tarfile.FIFOTYPE)
add('device', kind=tarfile.CHRTYPE); add('last', b'z' * 1000)
"#,
    );
    let (files, refused) = unpacked(&tar).unwrap();
    assert_eq!(files, [("good".into(), b"first".to_vec()), ("last".into(), vec![b'z'; 1000])]);
    assert_eq!(refused.len(), 9, "{refused:?}");
    let directory = entries(&Archive::new(tar)).unwrap();
    let names: Vec<&str> = directory.entries.iter().map(|entry| entry.name.as_ref()).collect();
    // Here both of a name are known in time to show neither.
    assert_eq!((names, directory.refused.len()), (vec!["last"], 10), "{:?}", directory.refused);
}

#[test]
fn damage_and_cuts_are_corrupt_and_errors_of_the_sink_come_through() {
    let tar = tarred(&[("a", noise(3000)), ("b", noise(70_000))], &[]);
    for cut in [100, 600, 2000, 4000, 5000, 70_000] {
        assert_eq!(unpacked(&tar[..cut]).expect_err("a cut").kind(), ErrorKind::Corrupt, "cut at {cut}");
        assert_eq!(entries(&Archive::new(tar[..cut].to_vec())).expect_err("a cut").kind(), ErrorKind::Corrupt, "{cut}");
    }
    let mut bad = tar.clone();
    bad[3] ^= 1;
    assert_eq!(unpacked(&bad).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(unpacked(&noise(5000)).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(unpacked(&[&tar[..], &tar].concat()).unwrap_err().kind(), ErrorKind::Corrupt);
    let error = unpack(&mut Cursor::new(&tar), &mut |_, _| Err(Error::new(ErrorKind::CacheFull, "full"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheFull);
    let mut names = Vec::new();
    unpack(&mut Cursor::new(&tar), &mut |name, _| {
        names.push(name.to_owned());
        Ok(())
    })
    .unwrap();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn the_layers_below_are_read_to_their_end() {
    let gz = run(Command::new("gzip").arg("-c"), &tarred(&[("a", noise(3000))], &[]));
    let cut = edxfs::decode::gzip::gunzip(boxed(&gz[..gz.len() - 1]));
    let error = unpack(&mut { cut }, &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
