//! Words of commands that a person is to paste into a shell.

use std::ffi::OsStr;

/// A path or a name as one word; in quotes only where it needs them.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let text = word.as_ref().to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    let as_it_is = !text.is_empty() && text.chars().all(plain);
    if as_it_is { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in ["/home/me/edx", "", "a b  c", "it's", "$(touch x)`;*?~#!", "räksmörgås", "-n\\n\"", "a\nb"] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{script}");
        }
        assert_eq!(quoted("/home/me/edx"), "/home/me/edx");
    }
}
