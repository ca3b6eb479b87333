//! `rdx/<request>/<package>/…`: Research Data Exchange packages. What such a tar holds is known once it is unpacked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scope::Organisation;
use super::view::{Listing, View};
use super::{Body, Node, Tree, missing};
use crate::catalog;
use crate::catalog::package::is_file_name;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{Artifact, Output, Part, Recipe};

pub(super) struct Exchange;

const FOLDER: &str = "rdx";

/// The recipe that makes what lies under the path known; None if it is, or if the path is not in such a package.
pub(super) fn needs(tree: &Tree<'_>, path: &str) -> Option<Recipe> {
    let mut components = path.split('/');
    let request = components.next().filter(|first| *first == FOLDER).and_then(|_| components.next())?;
    let package = part(tree.catalog.exchange(request, components.next()?)?);
    tree.known.unpacked(&package).is_none().then_some(Recipe::Unpacked { package })
}

fn part(exchange: &catalog::Exchange) -> Part {
    Part { object: exchange.object.clone(), entry: None }
}

/// One unpacked package.
struct Unpacked<'a> {
    exchange: &'a catalog::Exchange,
    paths: Arc<Vec<String>>,
}

impl<'a> Unpacked<'a> {
    fn open(tree: &Tree<'a>, exchange: &'a catalog::Exchange) -> Result<Self> {
        let waits = || Error::new(ErrorKind::WouldWait, "not unpacked yet").about(&exchange.object);
        Ok(Unpacked { exchange, paths: tree.known.unpacked(&part(exchange)).ok_or_else(waits)? })
    }

    /// The files that can be shown: path below the package's folder, and name in the tar. Producers begin such names
    /// with `./` or `/`.
    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = |name: &str| name.split('/').all(is_file_name);
        let files = self.paths.iter().map(|path| (path.strip_prefix('.').unwrap_or(path), path.as_str()));
        let files = files.map(|(short, path)| (short.strip_prefix('/').unwrap_or(path), path));
        files.filter(move |(short, _)| shown(short))
    }

    fn file(&self, member: &str) -> Node {
        let recipe = Recipe::Unpacked { package: part(self.exchange) };
        let body = Body::Artifact(Artifact { recipe, output: Output::Member(member.to_owned()) });
        Node::File { body, modified: self.exchange.modified }
    }

    fn folder(&self) -> Node {
        Node::Dir { modified: self.exchange.modified }
    }

    /// What is directly under a folder, `path` ending in `/` or empty; a name's file wins over its folder,
    /// and the first file over another.
    fn children(&self, path: &str) -> BTreeMap<String, Node> {
        let mut children = BTreeMap::new();
        for (below, member) in self.files().filter_map(|(short, member)| Some((short.strip_prefix(path)?, member))) {
            match below.split_once('/') {
                None if matches!(children.get(below), Some(Node::File { .. })) => None,
                None => children.insert(below.to_owned(), self.file(member)),
                Some((name, _)) if children.contains_key(name) => None,
                Some((name, _)) => children.insert(name.to_owned(), self.folder()),
            };
        }
        children
    }

    fn find(&self, path: &str) -> Option<Node> {
        if let Some((_, member)) = self.files().find(|(short, _)| *short == path) {
            return Some(self.file(member));
        }
        let is_below = |(short, _): (&str, &str)| short.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        self.files().any(is_below).then(|| self.folder())
    }
}

impl View<Organisation> for Exchange {
    fn name(&self) -> &'static str {
        FOLDER
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let node = match rest {
            [] => tree.catalog.exchanges().next().map(|_| tree.folder()),
            [request] => tree.catalog.exchanges().find(|exchange| exchange.request == *request).map(|_| tree.folder()),
            [request, package] => {
                let exchange = tree.catalog.exchange(request, package);
                exchange.map(|exchange| Node::Dir { modified: exchange.modified })
            }
            [request, package, path @ ..] => {
                let exchange = tree.catalog.exchange(request, package).ok_or_else(missing)?;
                Unpacked::open(tree, exchange)?.find(&path.join("/"))
            }
        };
        node.ok_or_else(missing)
    }

    fn list(&self, tree: &Tree<'_>, scope: &Organisation, rest: &[&str]) -> Result<Listing> {
        let Node::Dir { .. } = self.lookup(tree, scope, rest)? else { return Err(missing()) };
        let exchanges = tree.catalog.exchanges();
        let children: BTreeMap<String, Node> = match rest {
            [] => exchanges.map(|exchange| (exchange.request.clone(), tree.folder())).collect(),
            [request] => exchanges
                .filter(|exchange| exchange.request == *request)
                .map(|exchange| (exchange.package.clone(), Node::Dir { modified: exchange.modified }))
                .collect(),
            [request, package, path @ ..] => {
                let exchange = tree.catalog.exchange(request, package).ok_or_else(missing)?;
                let path: String = path.iter().map(|name| format!("{name}/")).collect();
                Unpacked::open(tree, exchange)?.children(&path)
            }
        };
        Ok(children.into_iter().collect())
    }
}
