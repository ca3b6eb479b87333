//! The program as a service: what a service manager, mount(8), a desktop and apt see of it. No systemd runs here: its own
//! tools judge the units, and `manager` does with their lines what it would do.
//!
//! - `manager`: the part of a service manager that the tests need
//! - `notify`:  who is told what, and when; the passphrase and the journal that a manager provides
//! - `units`:   the units, judged by systemd-analyze and run; a crash, a reload and a restart
//! - `fstab`:   mount.edxfs
//! - `desktop`: what the types' file spares a mount
//! - `package`: the Debian package in a fresh root

mod common;

#[path = "service/desktop.rs"]
mod desktop;
#[path = "service/fstab.rs"]
mod fstab;
#[path = "service/manager.rs"]
mod manager;
#[path = "service/notify.rs"]
mod notify;
#[path = "service/package.rs"]
mod package;
#[path = "service/units.rs"]
mod units;
