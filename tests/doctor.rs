//! `edxfs doctor` beside real parts: a package made by GnuPG in a folder and behind an S3 server that checks signatures,
//! mounts that run and mounts that have died.
//!
//! | file | what is shown |
//! |---|---|
//! | `doctor/well.rs` | all is well; the settings that are incomplete or cannot be followed |
//! | `doctor/keys.rs` | key files, passphrases, recipients |
//! | `doctor/buckets.rs` | credentials and buckets |
//! | `doctor/machine.rs` | cache folder, owner, dead mounts, updatedb, FUSE for a user |

mod common;
#[path = "common/gnupg.rs"]
mod gnupg;
#[path = "common/injury.rs"]
mod injury;
#[path = "common/reading.rs"]
mod reading;
#[path = "common/refusal.rs"]
mod refusal;
#[path = "common/servers/mod.rs"]
mod servers;

#[path = "doctor/buckets.rs"]
mod buckets;
#[path = "doctor/keys.rs"]
mod keys;
#[path = "doctor/machine.rs"]
mod machine;
#[path = "s3/site.rs"]
mod site;
#[path = "doctor/visit.rs"]
mod visit;
#[path = "doctor/well.rs"]
mod well;
