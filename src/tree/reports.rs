//! `reports/` at the root: files over all courses.

use std::sync::Arc;

use super::inputs::table;
use super::scope::Organisation;
use super::view::{Listing, View};
use super::{Body, Node, Tree, missing, snapshot_files};
use crate::error::Result;
use crate::recipe::derived::OptIn;
use crate::recipe::{Artifact, Output, Recipe};

pub(super) struct Reports;

const OPT_IN: &str = "email_opt_in.csv";

impl Reports {
    /// The newest opt-in list joined to every course's newest tables; None without such a list.
    fn opt_in(tree: &Tree<'_>) -> Option<Node> {
        let list = tree.catalog.newest_opt_in_list()?;
        let mut modified = list.object.modified;
        let (mut users, mut profiles) = (Vec::new(), Vec::new());
        for snapshot in tree.catalog.courses().filter_map(|course| course.snapshot_for(None)) {
            let (user, profile) = (table(snapshot, "auth_user"), table(snapshot, "auth_userprofile"));
            if user.is_some() || profile.is_some() {
                modified = modified.max(snapshot.modified());
            }
            users.extend(user);
            profiles.extend(profile);
        }
        let list = snapshot_files::artifact(&list);
        let recipe = Recipe::OptIn(Arc::new(OptIn { list, users, profiles }));
        Some(Node::File { body: Body::Artifact(Artifact { recipe, output: Output::Whole }), modified })
    }
}

impl View<Organisation> for Reports {
    fn name(&self) -> &'static str {
        "reports"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let found = match rest {
            [] => tree.catalog.newest_opt_in_list().map(|_| tree.folder()),
            [OPT_IN] => Self::opt_in(tree),
            _ => None,
        };
        found.ok_or_else(missing)
    }

    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Self::opt_in(tree).map(|node| vec![(OPT_IN.to_owned(), node)]).ok_or_else(missing),
            _ => Err(missing()),
        }
    }
}
