//! What is seen of an export while it goes on, and how it is stopped.

use indicatif::ProgressBar;

use crate::command::access::Access;
use crate::command::{bar, complain, stopping};
use crate::control::{Item, Origin};
use crate::error::{Error, Result};
use crate::export::{Totals, Tree, Watcher};
use crate::volume::Contents;

/// A progress bar on standard error, and the signals that ask for an end.
pub struct Screen {
    bar: ProgressBar,
    stop: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Screen {
    pub fn start() -> Result<Screen> {
        Ok(Screen { bar: bar::over_files(), stop: Box::new(stopping::asked()?) })
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Screen {
    fn wants_stop(&self) -> bool {
        (self.stop)()
    }

    fn copied(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn passed(&self, totals: &Totals) {
        let Totals { copied, right, failed, .. } = totals;
        self.bar.set_message(format!("{copied} files copied, {right} already right, {failed} not copied"));
    }

    fn failed(&self, path: &str, error: &Error) {
        // What is damaged is an object; what is missing is a file of the tree.
        self.bar.suspend(|| match error.subject() {
            Some(subject) if subject != path => complain(format!("{path}: {error}")),
            _ => complain(error.clone().about(path)),
        });
    }
}

/// The tree through an access, as long as nobody asks for an end.
pub struct Stoppable<'a> {
    pub access: &'a Access,
    pub screen: &'a Screen,
}

impl Tree for Stoppable<'_> {
    fn item(&self, path: &str) -> Result<Item> {
        self.access.item(path)
    }

    fn list(&self, path: &str) -> Result<Vec<Item>> {
        self.access.list(path)
    }

    fn origin(&self, path: &str) -> Result<Origin> {
        self.access.origin(path)
    }

    fn open(&self, path: &str) -> Result<Contents> {
        self.access.open(path, &*self.screen.stop)
    }
}
