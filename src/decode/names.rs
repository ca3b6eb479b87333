//! Which names of an archive's entries may become paths; no archive format.

/// Longest component that a file system shows (`NAME_MAX`), in bytes.
const COMPONENT_LIMIT: usize = 255;

/// `name` as a relative path, or why it is refused.
pub fn checked(name: &[u8]) -> Result<&str, &'static str> {
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    if name.starts_with('/') {
        return Err("its name is absolute");
    }
    if name.contains('\0') {
        return Err("its name has a NUL byte");
    }
    if name.contains('\\') {
        return Err("its name has a backslash");
    }
    for component in name.split('/') {
        match component {
            "" => return Err("its name has an empty component"),
            "." | ".." => return Err("its name has a component that is only dots"),
            long if long.len() > COMPONENT_LIMIT => return Err("its name has a component over 255 bytes"),
            _ => {}
        }
    }
    Ok(name)
}

/// A name that may be no path, fit for a message: lossy and without control characters.
pub fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_names() {
        for good in ["a", "a/b.gpg", "course v1/é", "..a/b.."] {
            assert_eq!(checked(good.as_bytes()), Ok(good));
        }
        for bad in ["", "/", "/a", "a//b", "a/", "../a", "a/../b", "a/..", "./a", "a\0b", "a\\b"] {
            assert!(checked(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(checked(b"a\xff").is_err());
        assert!(checked("x".repeat(256).as_bytes()).is_err());
    }
}
