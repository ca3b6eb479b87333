//! The program as a service: what a service manager and mount(8) see of it.
//!
//! - `manager`: the part of a service manager that the tests need
//! - `notify`:  who is told what, and when; the passphrase and the journal that a manager provides
//! - `fstab`:   mount.edxfs

mod common;

#[path = "service/fstab.rs"]
mod fstab;
#[path = "service/manager.rs"]
mod manager;
#[path = "service/notify.rs"]
mod notify;
