//! Writes manual pages and shell completions from the program's own command lines: `manual DIR`.
//!
//! DIR gets `man/man1`, `man/man8`, `bash`, `zsh` and `fish`, each file under the name that it is installed by.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

fn main() -> io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| OsString::from(".")));
    let [edxfs, helper] = edxfs::command::command_lines();
    completions(&folder, &edxfs)?;
    let (commands, administration) = (folder.join("man/man1"), folder.join("man/man8"));
    fs::create_dir_all(&commands)?;
    fs::create_dir_all(&administration)?;
    clap_mangen::generate_to(edxfs, commands)?;
    clap_mangen::Man::new(helper).section("8").generate_to(administration).map(drop)
}

fn completions(folder: &Path, command: &Command) -> io::Result<()> {
    for (shell, name, file) in
        [(Shell::Bash, "bash", "edxfs"), (Shell::Zsh, "zsh", "_edxfs"), (Shell::Fish, "fish", "edxfs.fish")]
    {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        clap_complete::generate(shell, &mut command.clone(), "edxfs", &mut File::create(folder.join(file))?);
    }
    Ok(())
}
