//! What a view is, and how a scope's list of views answers for a path.

use super::{Node, Tree, missing};
use crate::error::Result;

/// The entries of a directory, in no particular order.
pub(super) type Listing = Vec<(String, Node)>;

/// One part of the tree, at one name in the folder of each scope `S` that lists it.
pub(super) trait View<S>: Sync {
    fn name(&self) -> &'static str;

    /// The node at `rest`, the components below the view's own name. A view whose own node (`[]`) is `NotFound` is
    /// left out of its scope's folder.
    fn lookup(&self, tree: &Tree<'_>, scope: &S, rest: &[&str]) -> Result<Node>;

    /// The entries of the directory at `rest`. Errors: `NotFound` if there is none.
    fn list(&self, tree: &Tree<'_>, scope: &S, rest: &[&str]) -> Result<Listing>;
}

/// The node at `path` in a scope's folder; the path is not empty.
pub(super) fn lookup_in<S>(views: &[&dyn View<S>], tree: &Tree<'_>, scope: &S, path: &[&str]) -> Result<Node> {
    let (name, rest) = path.split_first().ok_or_else(missing)?;
    find(views, name)?.lookup(tree, scope, rest)
}

/// The entries of the directory at `path` in a scope's folder.
pub(super) fn list_in<S>(views: &[&dyn View<S>], tree: &Tree<'_>, scope: &S, path: &[&str]) -> Result<Listing> {
    match path.split_first() {
        Some((name, rest)) => find(views, name)?.list(tree, scope, rest),
        None => {
            let shown = |view: &&dyn View<S>| Some((view.name().to_owned(), view.lookup(tree, scope, &[]).ok()?));
            Ok(views.iter().filter_map(shown).collect())
        }
    }
}

fn find<'v, S>(views: &[&'v dyn View<S>], name: &str) -> Result<&'v dyn View<S>> {
    views.iter().find(|view| view.name() == name).copied().ok_or_else(missing)
}
