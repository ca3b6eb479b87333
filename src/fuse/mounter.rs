//! Whose a mount is, as the kernel's mount table says.

use std::fs;
use std::path::Path;

use super::mounts::mount_table;

/// The user whose process serves the mount of ours that is seen at `point` (absolute, without links); None where none is.
pub fn user_of_mount(point: &Path) -> Option<u32> {
    user_in(&fs::read("/proc/self/mountinfo").ok()?, point)
}

fn user_in(table: &[u8], point: &Path) -> Option<u32> {
    let is_at_point = |line: &&[u8]| mount_table(line).first().is_some_and(|mounted| mounted.point == point);
    let line = table.split(|byte| *byte == b'\n').rfind(is_at_point)?;
    mount_table(line).first().filter(|mounted| mounted.is_ours())?;
    let options = line.rsplit(|byte| *byte == b' ').next()?;
    let user = options.split(|byte| *byte == b',').find_map(|option| option.strip_prefix(b"user_id="))?;
    std::str::from_utf8(user).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_on_top_says_whose_it_is() {
        let ours = "36 35 0:98 / /mnt ro,nosuid shared:1 - fuse.edxfs edxfs rw,user_id=1000,group_id=100\n";
        let other = "37 35 0:99 / /mnt rw - fuse.sshfs jo rw,user_id=1001,group_id=100\n";
        assert_eq!(user_in(ours.as_bytes(), Path::new("/mnt")), Some(1000));
        assert_eq!(user_in(ours.as_bytes(), Path::new("/")), None);
        assert_eq!(user_in(format!("{ours}{other}").as_bytes(), Path::new("/mnt")), None);
    }
}
