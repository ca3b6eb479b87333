//! A real mount of a small organisation, encrypted by GnuPG, read by the tools that people use.

mod common;

use common::{Mount, folder_options, small_package};

#[test]
fn the_root_shows_the_parts_of_the_package() {
    let made = small_package();
    let mount = Mount::start(&folder_options(&made));
    let names = mount.list("");
    assert_eq!(
        names,
        [
            "README.txt",
            "course-data",
            "courses",
            "courses.tsv",
            "edx-course-data",
            "email-opt-in",
            "events",
            "problems.tsv",
            "rdx",
            "tables"
        ]
    );
}
