//! What a profile of the AWS configuration is for, read from the two files' text: enough to say what mends it. (The
//! SDK reads the files itself; what it says of a profile that is not there is nothing.)

/// How a profile comes to its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Keys,
    Sso,
    Process,
    Role,
    /// It sets other things.
    None,
}

/// The profiles of a configuration file and a credentials file.
#[derive(Debug, Default)]
pub struct Profiles(Vec<(String, Kind)>);

impl Profiles {
    pub fn read(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        profiles.sections(config, |title| match title {
            "default" => Some("default"),
            _ => title.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim),
        });
        profiles.sections(credentials, Some);
        profiles
    }

    /// None: there is no such profile.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn sections<'a>(&mut self, text: &'a str, profile: impl Fn(&'a str) -> Option<&'a str>) {
        let mut at = None;
        for line in text.lines() {
            let bare = line.trim();
            if let Some(title) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                at = profile(title.trim()).map(|name| self.place(name));
            } else if let (Some(at), Some((key, _))) = (at, line.split_once('='))
                // An indented line belongs to the setting above it.
                && !line.starts_with([' ', '\t', '#', ';'])
            {
                self.0[at].1 = strongest(self.0[at].1, key.trim());
            }
        }
    }

    fn place(&mut self, name: &str) -> usize {
        let known = self.0.iter().position(|(known, _)| known == name);
        known.unwrap_or_else(|| {
            self.0.push((name.to_owned(), Kind::None));
            self.0.len() - 1
        })
    }
}

/// A role's own settings count before those that it starts from.
fn strongest(kind: Kind, key: &str) -> Kind {
    match key {
        "role_arn" => Kind::Role,
        _ if kind == Kind::Role => kind,
        "sso_session" | "sso_start_url" => Kind::Sso,
        "credential_process" => Kind::Process,
        "aws_access_key_id" => Kind::Keys,
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read_as_the_sdk_reads_them() {
        let config = "[default]\nregion = eu-north-1\n[profile edx]\nsso_session = work\nregion=us-east-1\n\
                      [sso-session work]\nsso_start_url = https://x\n[profile czar]\nrole_arn = a\nsource_profile = edx\n\
                      [profile vault]\ncredential_process = get\ns3 =\n  aws_access_key_id = 1\n[stray]\nregion = x\n";
        let credentials = "[default]\naws_access_key_id = K\n# [commented]\n[old]\naws_access_key_id=K\n";
        let profiles = Profiles::read(config, credentials);
        assert_eq!(profiles.names(), ["default", "edx", "czar", "vault", "old"]);
        for (name, kind) in [
            ("default", Some(Kind::Keys)),
            ("edx", Some(Kind::Sso)),
            ("czar", Some(Kind::Role)),
            ("vault", Some(Kind::Process)),
            ("old", Some(Kind::Keys)),
            ("work", None),
            ("stray", None),
        ] {
            assert_eq!(profiles.kind(name), kind, "{name}");
        }
    }
}
