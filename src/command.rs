//! The verbs, one file each.

pub fn run() -> std::process::ExitCode {
    todo!()
}
