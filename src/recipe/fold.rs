//! Some days of one course, merged into one run of tallies.
