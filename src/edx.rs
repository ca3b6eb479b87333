//! The edX vocabulary: course runs, sites, object keys, member names, tracking-log lines. Pure, no I/O.

pub mod course_run;
pub mod course_structure;
pub mod event;
pub mod forum;
pub mod member_name;
pub mod object_key;
pub mod table;
pub mod tracking_log;
pub mod window;
