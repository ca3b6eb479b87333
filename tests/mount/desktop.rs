//! A desktop that looks at the mount: nothing is decoded by accident.

use std::process::{Command, Stdio};

use crate::common::run;
use crate::mounted;

const COURSE: &str = "courses/UniX-CHEM-R1";

#[test]
fn a_file_manager_with_a_thumbnailer_decodes_nothing() {
    let mount = mounted(&["--log", "trace"]);
    let begun = mount.status();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mount/desktop.sh");
    let mut desktop = Command::new("sh");
    desktop.arg(script).arg(mount.scratch.path().join("log")).arg("").stdin(Stdio::null());
    for folder in [COURSE.to_owned(), format!("{COURSE}/events"), format!("{COURSE}/tables")] {
        desktop.arg(mount.path(&folder));
    }
    let shown = String::from_utf8_lossy(&run(&mut desktop).stdout).into_owned();
    assert_eq!(shown, "UniX-CHEM-R1\nevents\ntables\n");
    let log = mount.log();
    assert!(log.contains(&format!("opendir{{path=\"{COURSE}/events\"}}")), "it has looked");
    assert!(log.contains(&format!("open{{path=\"{COURSE}/samced.db\"}}")), "it has tried to guess a type");
    let after = mount.status();
    for counter in ["decoded_objects", "fetched_objects", "problems"] {
        assert_eq!(after[counter], begun[counter], "{counter}");
    }
}
