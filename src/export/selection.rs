//! Which paths are wanted, as a tree of names: no path twice, whatever stands below another.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, Result};
use crate::export::Tree;

/// Paths of the tree and what lies below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    paths: Vec<String>,
    pub(super) root: Wanted,
}

/// What is wanted at one name and below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// All that it lists, down to the leaves.
    pub whole: bool,
    /// Named by themselves: a folder may hold more than it lists.
    pub below: BTreeMap<String, Wanted>,
}

impl Selection {
    /// `""` is everything that the root lists.
    pub fn of(paths: Vec<String>) -> Selection {
        let mut root = Wanted::default();
        for path in &paths {
            let mut at = &mut root;
            for name in path.split('/').filter(|name| !name.is_empty()) {
                at = at.below.entry(name.to_owned()).or_default();
            }
            at.whole = true;
        }
        Selection { paths, root }
    }

    /// Whether a path, a folder's with a `/` behind it or not, is one of those selected or lies below one.
    pub(super) fn covers(&self, path: &str) -> bool {
        let mut at = &self.root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match at.below.get(name) {
                _ if at.whole => return true,
                Some(below) => at = below,
                None => return false,
            }
        }
        at.whole
    }

    /// That each path is there, before anything is written. Errors: `NotFound`.
    pub(super) fn check(&self, tree: &dyn Tree) -> Result<()> {
        for path in &self.paths {
            match tree.item(path) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Interrupted) => {
                    return Err(error.about(path));
                }
                // Whatever else is wrong with it is told when its turn comes.
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_covers_what_lies_below_its_paths() {
        let selection = Selection::of(vec!["a/b".into(), "c".into(), "c/d/e".into()]);
        for path in ["a/b", "a/b/", "a/b/x", "c/", "c/d", "c/d/e/f"] {
            assert!(selection.covers(path), "{path}");
        }
        for path in ["", "a", "a/", "a/bb", "cc"] {
            assert!(!selection.covers(path), "{path}");
        }
        assert!(Selection::of(vec![String::new()]).covers("x/y"));
    }
}
