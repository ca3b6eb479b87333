//! A machine made of files, for tests.

use std::fs;
use std::os::unix::fs::symlink;

use crate::doctor::Machine;

/// Its folders are below a temporary one: `dev`, `etc`, `proc`, `sys`.
pub struct Made {
    root: tempfile::TempDir,
    pub machine: Machine,
}

impl Made {
    pub fn new() -> Made {
        let root = tempfile::tempdir().expect("a temporary folder");
        let below = |name: &str| root.path().join(name);
        let machine = Machine { dev: below("dev"), etc: below("etc"), proc: below("proc"), sys: below("sys") };
        Made { root, machine }
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be made");
    }

    /// A block device as sysfs shows it: `sys/devices/{name}`, and the link to it from `sys/dev/block/{number}`.
    pub fn device(&self, number: &str, name: &str, dm_uuid: Option<&str>) {
        self.write(&format!("sys/devices/{name}/dev"), number);
        if let Some(uuid) = dm_uuid {
            self.write(&format!("sys/devices/{name}/dm/uuid"), uuid);
        }
        self.write("sys/dev/block/keep", "");
        self.link(&format!("sys/dev/block/{number}"), name);
    }

    /// `upper` lies on `lower`.
    pub fn slave(&self, upper: &str, lower: &str) {
        self.write(&format!("sys/devices/{upper}/slaves/keep"), "");
        let link = format!("sys/devices/{upper}/slaves/{}", lower.replace('/', "-"));
        let _ = fs::remove_file(self.root.path().join(format!("sys/devices/{upper}/slaves/keep")));
        self.link(&link, lower);
    }

    fn link(&self, at: &str, device: &str) {
        let target = self.root.path().join("sys/devices").join(device);
        symlink(target, self.root.path().join(at)).expect("a link can be made");
    }
}
