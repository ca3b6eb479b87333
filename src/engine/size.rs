//! Where sizes come from: the ledger, a running recipe, else a stand-in above any likely true size.

/// Plain bytes of a file, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Exact(u64),
    StandIn(u64),
}

impl Size {
    pub fn bytes(self) -> u64 {
        match self {
            Size::Exact(bytes) | Size::StandIn(bytes) => bytes,
        }
    }
}
