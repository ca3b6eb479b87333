//! The files of one course in one snapshot: `tables/<table>.tsv` and three files beside it.

use super::view::Listing;
use super::{Body, Node, missing};
use crate::catalog::Snapshot;
use crate::catalog::package::Member;
use crate::edx::member_name::MemberKind;
use crate::error::Result;
use crate::recipe::{Artifact, Output, Part, Recipe};

/// A file beside `tables/`: its name, and what the snapshot holds it as.
pub(super) struct Single {
    pub name: &'static str,
    pub kind: MemberKind,
}

pub(super) const FORUM: Single = Single { name: "forum.mongo", kind: MemberKind::Forum };
pub(super) const STRUCTURE: Single = Single { name: "course_structure.json", kind: MemberKind::Structure };
pub(super) const CONTENT: Single = Single { name: "course.xml.tar.gz", kind: MemberKind::Content };

const SINGLES: [Single; 3] = [FORUM, STRUCTURE, CONTENT];

/// Encoded bytes of a member.
pub(super) fn part(member: &Member<'_>) -> Part {
    Part { object: member.object.id.clone(), entry: member.entry.cloned() }
}

/// A member without its encryption.
pub(super) fn artifact(member: &Member<'_>) -> Artifact {
    let recipe = Recipe::Decoded { part: part(member), layers: member.layers.clone() };
    Artifact { recipe, output: Output::Whole }
}

/// The file that shows a member without its encryption.
pub(super) fn decrypted(member: &Member<'_>) -> Node {
    Node::File { body: Body::Artifact(artifact(member)), modified: member.object.modified }
}

/// A table's file name, if the kind is one.
pub(super) fn table_name(kind: &MemberKind) -> Option<String> {
    match kind {
        MemberKind::Table(table) => Some(format!("{table}.tsv")),
        _ => None,
    }
}

/// The table that a file of this name holds.
pub(super) fn table_of(name: &str) -> Result<MemberKind> {
    name.strip_suffix(".tsv").map(|table| MemberKind::Table(table.to_owned())).ok_or_else(missing)
}

/// The files of `tables/`.
pub(super) fn tables(snapshot: &Snapshot) -> Listing {
    snapshot.members().filter_map(|(kind, member)| Some((table_name(kind)?, decrypted(&member)))).collect()
}

/// The file of one kind.
pub(super) fn file(snapshot: &Snapshot, kind: &MemberKind) -> Result<Node> {
    snapshot.member(kind).map(|member| decrypted(&member)).ok_or_else(missing)
}

/// The node at a path of a snapshot's own folder.
pub(super) fn lookup(snapshot: &Snapshot, path: &[&str]) -> Result<Node> {
    match path {
        [] | ["tables"] => Ok(Node::Dir { modified: snapshot.modified() }),
        ["tables", name] => file(snapshot, &table_of(name)?),
        [name] => {
            let single = SINGLES.into_iter().find(|single| single.name == *name).ok_or_else(missing)?;
            file(snapshot, &single.kind)
        }
        _ => Err(missing()),
    }
}

/// The entries at a path of a snapshot's own folder.
pub(super) fn list(snapshot: &Snapshot, path: &[&str]) -> Result<Listing> {
    match path {
        [] => {
            let singles = SINGLES.into_iter();
            let mut listing: Listing = singles
                .filter_map(|single| Some((single.name.to_owned(), file(snapshot, &single.kind).ok()?)))
                .collect();
            listing.push(("tables".to_owned(), Node::Dir { modified: snapshot.modified() }));
            Ok(listing)
        }
        ["tables"] => Ok(tables(snapshot)),
        _ => Err(missing()),
    }
}
