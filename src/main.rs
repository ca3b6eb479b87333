//! Arguments, tracing, one command, exit code; no logic.

fn main() -> std::process::ExitCode {
    edxfs::command::run()
}
