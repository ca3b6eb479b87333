//! `course-data/<package>/…` and `email-opt-in/<package>/…`: packages decrypted, laid out as scripts expect them.

use super::scope::Organisation;
use super::snapshot_files::decrypted;
use super::view::{Listing, View};
use super::{Node, Tree, missing};
use crate::catalog::package::{Found, Package};
use crate::error::Result;

pub(super) enum Packages {
    CourseData,
    OptIn,
}

impl Packages {
    fn all<'a>(&self, tree: &Tree<'a>) -> Box<dyn Iterator<Item = &'a Package> + 'a> {
        match self {
            Packages::CourseData => Box::new(tree.catalog.packages()),
            Packages::OptIn => Box::new(tree.catalog.opt_ins()),
        }
    }

    fn one<'a>(&self, tree: &Tree<'a>, name: &str) -> Result<&'a Package> {
        let package = match self {
            Packages::CourseData => tree.catalog.package(name),
            Packages::OptIn => tree.catalog.opt_in(name),
        };
        package.ok_or_else(missing)
    }

    fn node(package: &Package, found: &Found<'_>) -> Node {
        match found {
            Found::Folder => Node::Dir { modified: package.modified },
            Found::File(member) => decrypted(member),
        }
    }
}

impl View<Organisation> for Packages {
    fn name(&self) -> &'static str {
        match self {
            Packages::CourseData => "course-data",
            Packages::OptIn => "email-opt-in",
        }
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let Some((name, path)) = rest.split_first() else {
            return self.all(tree).next().map(|_| tree.folder()).ok_or_else(missing);
        };
        let package = self.one(tree, name)?;
        let found = package.find(&path.join("/")).ok_or_else(missing)?;
        Ok(Self::node(package, &found))
    }

    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        let Some((name, path)) = rest.split_first() else {
            let folders = self.all(tree).map(|p| (p.name.clone(), Node::Dir { modified: p.modified }));
            return Ok(folders.collect());
        };
        let (package, path) = (self.one(tree, name)?, path.join("/"));
        match package.find(&path) {
            Some(Found::Folder) => {}
            _ => return Err(missing()),
        }
        let children = package.children(&path).into_iter();
        Ok(children.map(|(name, found)| (name.to_owned(), Self::node(package, &found))).collect())
    }
}
