//! Whose user names they are: what a course's `auth_user` says.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::edx::table::{self, Dialect, Records, fields};
use crate::error::Result;
use crate::recipe::Artifact;
use crate::recipe::learner::is_folder_name;
use crate::recipe::make::Inputs;
use crate::recipe::tallies::record::UNDEFINED;

/// Finds the rows whose name is among `wanted` and gives user id and name of each. The table is not read where no name
/// is wanted. Rows whose id is none give nothing, and so does a table without these columns.
///
/// Errors: those of the table.
pub fn each_known_name(
    auth_user: Option<&Artifact>,
    wanted: &BTreeSet<String>,
    inputs: &dyn Inputs,
    take: &mut dyn FnMut(&str, &str),
) -> Result<()> {
    let Some(auth_user) = auth_user.filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let mut records = Records::new(inputs.artifact(auth_user)?, Dialect::Escaped);
    let Some(header) = records.next_record()? else { return Ok(()) };
    let column = |name: &[u8]| fields(header, Dialect::Escaped).position(|cell| cell == name);
    let Some((id, username)) = column(b"id").zip(column(b"username")) else { return Ok(()) };
    while let Some(record) = records.next_record()? {
        let cell = |at| fields(record, Dialect::Escaped).nth(at).and_then(text);
        let Some((user, name)) = cell(id).zip(cell(username)) else { continue };
        let (user, name) = (strip(&user), strip(&name));
        if wanted.contains(name) && user != UNDEFINED && is_folder_name(user) {
            take(user, name);
        }
    }
    Ok(())
}

/// A cell's text as texts of events are taken; None for NULL.
fn text(cell: &[u8]) -> Option<Cow<'_, str>> {
    let text = match table::decode(cell, Dialect::Escaped)? {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    };
    Some(if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { text })
}

/// Without white space on both sides, as it is taken off the names and ids of events.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}
