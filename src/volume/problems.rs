//! Faults as lines of `problems.tsv`: the errno that a reader meets, and what to do.

use crate::catalog::problem::Problem;
use crate::volume::inventory::{Fault, FaultKind};

pub fn problem_of(fault: &Fault) -> Problem {
    let (errno, what_to_do) = match fault.kind {
        FaultKind::Corrupt => ("EIO", "compare the object's size with the source; ask edX for it again"),
        FaultKind::Unsupported => ("EIO", "re-encrypt it as the message says"),
        FaultKind::NoSecretKey => ("EIO", "mount with the key of one of its recipients: --secret-key"),
        FaultKind::Refused => ("EACCES", "ask for access to this object"),
        FaultKind::Archived => ("EACCES", "restore the object from its archived storage class first"),
        FaultKind::Unreachable => ("EHOSTUNREACH", "check the network and the endpoint, then open it again"),
        FaultKind::NotReproducible => ("EIO", "open it again; report it if it comes back"),
        FaultKind::Malformed => ("", "nothing: they are in events/unattributed, byte for byte"),
        FaultKind::Hidden => ("", "unpack the package by hand"),
        FaultKind::LeftOut => ("", "use the table of an older snapshot"),
    };
    Problem {
        object: fault.object.clone(),
        entry: fault.entry.clone(),
        what: fault.what.clone(),
        count: fault.count,
        errno,
        what_to_do: what_to_do.to_owned(),
    }
}
