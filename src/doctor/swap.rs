//! Where memory may be written to: pages that hold what is being read are plaintext.

use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::disk::{Sealing, block_number, under_device, under_path};
use crate::doctor::{Case, Machine, Report};
use crate::fuse::unescape_path;
use crate::shell::quoted;

const CHECK: &str = "swap";

pub fn check(case: &Case<'_>, report: &mut Report<'_>) {
    let text = fs::read_to_string(case.machine.proc.join("swaps")).unwrap_or_default();
    let areas = areas(&text);
    if areas.is_empty() {
        return report.ok(CHECK, "none");
    }
    for area in areas {
        let at = area.path.display();
        match under(case.machine, &area) {
            Sealing::Encrypted(how) => report.ok(CHECK, format!("{at}: encrypted ({how})")),
            Sealing::InMemory => report.ok(CHECK, format!("{at}: compressed memory")),
            Sealing::Unknown(why) => report.note(
                CHECK,
                format!("{at}: unknown whether it is encrypted ({why}); learners' data may be swapped out to it"),
            ),
            Sealing::Plain => report.warn(
                CHECK,
                format!(
                    "{at}: not encrypted, and learners' data may be swapped out to it; sudo swapoff {}, \
                     or encrypt it: crypttab(5), option swap",
                    quoted(&area.path)
                ),
            ),
        }
    }
}

/// One line of /proc/swaps.
#[derive(Debug, PartialEq, Eq)]
struct Area {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Device,
    File,
}

/// `/dev/dm-1  partition  8388604  0  -2`, below a line of titles.
fn areas(text: &str) -> Vec<Area> {
    let area = |line: &str| {
        let mut words = line.split_whitespace();
        let path = unescape_path(words.next()?.as_bytes());
        let kind = if words.next()? == "file" { Kind::File } else { Kind::Device };
        Some(Area { path, kind })
    };
    text.lines().skip(1).filter_map(area).collect()
}

fn under(machine: &Machine, area: &Area) -> Sealing {
    match (area.kind, zram(machine, &area.path)) {
        (Kind::File, _) => under_path(machine, &area.path),
        (Kind::Device, Some(sealing)) => sealing,
        (Kind::Device, None) => match block_number(&area.path) {
            Some(device) => under_device(machine, &device),
            None => Sealing::Unknown("its device cannot be looked at".to_owned()),
        },
    }
}

/// Compressed memory, unless it has a device that it writes back to.
fn zram(machine: &Machine, path: &Path) -> Option<Sealing> {
    let name = path.file_name()?.to_str().filter(|name| name.starts_with("zram"))?;
    let backing = fs::read_to_string(machine.sys.join("block").join(name).join("backing_dev")).unwrap_or_default();
    match backing.trim() {
        "" | "none" => Some(Sealing::InMemory),
        device => block_number(Path::new(device)).map(|number| under_device(machine, &number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::Made;

    #[test]
    fn the_kernels_list_of_swap_is_read() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n/dev/dm-1 partition\t8388604\t0\t-2\n\
                    /swap\\040file file 1 0 -3\n/dev/zram0 partition 1 0 100\n";
        let area = |path: &str, kind| Area { path: path.into(), kind };
        let expected =
            [area("/dev/dm-1", Kind::Device), area("/swap file", Kind::File), area("/dev/zram0", Kind::Device)];
        assert_eq!(areas(text), expected);
        assert_eq!(areas("Filename\tType\tSize\tUsed\tPriority\n"), []);
    }

    #[test]
    fn compressed_memory_is_no_disk_unless_it_has_one() {
        let made = Made::new();
        assert_eq!(zram(&made.machine, Path::new("/dev/zram0")), Some(Sealing::InMemory));
        made.write("sys/block/zram0/backing_dev", "none\n");
        assert_eq!(zram(&made.machine, Path::new("/dev/zram0")), Some(Sealing::InMemory));
        made.write("sys/block/zram0/backing_dev", "/nonexistent\n");
        assert_eq!(zram(&made.machine, Path::new("/dev/zram0")), None);
        assert_eq!(zram(&made.machine, Path::new("/dev/sda2")), None);
    }
}
