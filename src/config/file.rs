//! The configuration file: TOML keys become the flags of the same name, so both have one set of rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, CommandFactory, FromArgMatches, ValueHint};

use crate::config::args::Options;
use crate::config::environment::Environment;
use crate::error::{Error, Result};

/// Values by long option name, as written; what a switch holds is `true` or `false`.
pub type Raw = BTreeMap<String, Vec<OsString>>;

/// Reads and checks a file. Errors: `Usage`, naming file and key.
pub fn read(path: &Path, environment: &Environment) -> Result<Raw> {
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::usage("no such configuration file").about(path.display()),
        _ => Error::usage("cannot read the configuration file").caused_by(error).about(path.display()),
    })?;
    let raw = parse(&text, path.parent().unwrap_or(Path::new("/")), environment);
    raw.map_err(|error| error.about(path.display()))
}

fn parse(text: &str, base: &Path, environment: &Environment) -> Result<Raw> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Error::usage(format!("line {line}: {}", error.message()))
    })?;
    let command = Options::command();
    let mut raw = Raw::new();
    for (key, value) in &table {
        let known = command.get_arguments().find(|arg| arg.get_long() == Some(key) && key != "config");
        let arg = known.ok_or_else(|| unknown_key(key))?;
        let mut values = texts(key, value)?;
        if matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath) {
            for path in &mut values {
                *path = environment.absolute(&PathBuf::from(&*path), base).into();
            }
        }
        check(arg, key, &values)?;
        raw.insert(key.clone(), values);
    }
    Ok(raw)
}

fn unknown_key(key: &str) -> Error {
    let advice = match key.replace('_', "-") {
        dashed if dashed != key => format!("names are written with `-`, like {dashed}"),
        _ => "`edxfs mount --help` lists the options; each is a key of the same name".to_string(),
    };
    Error::usage(format!("unknown key `{key}`")).advise(advice)
}

/// One text per value, as it would stand on a command line.
fn texts(key: &str, value: &toml::Value) -> Result<Vec<OsString>> {
    match value {
        toml::Value::Array(values) => {
            let texts: Result<Vec<_>> = values.iter().map(|value| texts(key, value)).collect();
            Ok(texts?.concat())
        }
        // TOML's own 0o440 and a slip like 440 are the same kind of number once read.
        toml::Value::Integer(_) if key.ends_with("mode") => {
            Err(Error::usage(format!("{key}: write permission bits as text, like \"0440\"")))
        }
        toml::Value::String(text) => Ok(vec![text.into()]),
        toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {
            Ok(vec![value.to_string().into()])
        }
        toml::Value::Float(_) | toml::Value::Table(_) => Err(Error::usage(format!("{key}: expects text"))),
    }
}

/// Parses one key alone, so that the message can name it in the file's words.
fn check(arg: &Arg, key: &str, values: &[OsString]) -> Result<()> {
    if values.len() > 1 && !matches!(arg.get_action(), clap::ArgAction::Append) {
        return Err(Error::usage(format!("{key}: expects one value, not {}", values.len())));
    }
    let raw = Raw::from([(key.to_string(), values.to_vec())]);
    options(&raw).map(|_| ()).map_err(|error| Error::usage(format!("{key}: {}", reason(&error))))
}

/// What clap has against a value, without the words that are about flags.
fn reason(error: &clap::Error) -> String {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    if let Some(cause) = std::error::Error::source(error) {
        return format!("`{value}`: {cause}");
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) => format!("`{value}` is none of {}", valid.join(", ")),
        _ => format!("`{value}` is not a value for it"),
    }
}

/// All options from values by name.
pub fn options(raw: &Raw) -> Result<Options, clap::Error> {
    let flags = raw.iter().flat_map(|(name, values)| values.iter().map(move |value| flag(name, value)));
    Options::from_arg_matches(&Options::command().try_get_matches_from(flags)?)
}

fn flag(name: &str, value: &OsString) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}
