//! The files of a tar, each an output of its own; what is refused is named and left out.

use std::io::Read;

use crate::decode::tar;
use crate::error::Result;
use crate::recipe::make::{Summary, copy};
use crate::recipe::{Output, Outputs};

/// Writes every regular file of a plain tar stream into an output. Errors: `Corrupt`; those of `outputs`.
pub fn unpack(input: &mut dyn Read, outputs: &mut dyn Outputs) -> Result<Summary> {
    let mut members = Vec::new();
    let skipped = tar::unpack(input, &mut |path, content| {
        let slot = outputs.create(&Output::Member(path.to_owned()))?;
        members.push(path.to_owned());
        copy(content, &mut |bytes| outputs.append(slot, bytes))
    })?;
    members.sort();
    Ok(Summary { members, skipped, ..Summary::default() })
}
