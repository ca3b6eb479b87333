//! The keys against real objects: the newest day log, and an entry of the newest package; some KiB of each.

use std::io::Read;

use crate::decode::openpgp::{HEAD_BYTES, MessageRecipient, recipients};
use crate::decode::zip::{Directory, Entry, open_entry};
use crate::doctor::Report;
use crate::doctor::contents::Stock;
use crate::doctor::keys::{Given, Keys};
use crate::edx::object_key::{ObjectRole, object_role};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Availability, ObjectMeta, Source};
use crate::volume::Archive;

const CHECK: &str = "recipients";

pub fn check(stock: &Stock, keys: &Keys, report: &mut Report<'_>) {
    let Some(source) = &stock.source else {
        return report.note(CHECK, "not compared with the keys: no object can be read");
    };
    let day = newest(stock, |role| match role {
        ObjectRole::DayLog { date, .. } => Some(date),
        _ => None,
    });
    let package = newest(stock, |role| match role {
        ObjectRole::Package { date } => Some(date),
        _ => None,
    });
    if day.is_none() && package.is_none() {
        return report.note(CHECK, "not compared with the keys: there is no encrypted object to try");
    }
    if let Some(day) = day {
        tell(day.id.key.as_str(), whole_object(&**source, day), keys, report);
    }
    if let Some(package) = package {
        tell(package.id.key.as_str(), smallest_entry(&**source, package), keys, report);
    }
}

/// The newest object of a role that can be read and is, or holds, something encrypted.
fn newest<T: Ord>(stock: &Stock, date: impl Fn(ObjectRole) -> Option<T>) -> Option<&ObjectMeta> {
    let readable =
        stock.objects.iter().filter(|object| object.availability == Availability::Ready && object.id.bytes > 0);
    let encrypted = readable.filter(|object| object.id.key.as_str().ends_with(".gpg") || is_package(object));
    let dated = encrypted.filter_map(|object| Some((date(object_role(&stock.org, object.id.key.as_str()))?, object)));
    dated.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, object)| object)
}

fn is_package(object: &ObjectMeta) -> bool {
    object.id.key.as_str().ends_with(".zip")
}

fn whole_object(source: &dyn Source, object: &ObjectMeta) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    source.open(&object.id, 0..object.id.bytes.min(HEAD_BYTES))?.read_to_end(&mut head)?;
    Ok(head)
}

/// The beginning of the entry that costs the least.
fn smallest_entry(source: &dyn Source, object: &ObjectMeta) -> Result<Vec<u8>> {
    let archive = Archive { source, id: &object.id };
    let directory = Directory::read(&archive)?;
    let encrypted = |entry: &&Entry| entry.name.ends_with(".gpg") && entry.bytes > 0;
    let Some(entry) = directory.entries.iter().filter(encrypted).min_by_key(|entry| entry.compressed) else {
        return Err(Error::not_found("holds nothing encrypted"));
    };
    let mut head = Vec::new();
    open_entry(&archive, entry)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Tells whether the keys open what begins so.
pub fn tell(name: &str, head: Result<Vec<u8>>, keys: &Keys, report: &mut Report<'_>) {
    let judged = head.and_then(|head| recipients(&head)).and_then(|recipients| judge(&recipients, keys));
    match judged {
        Ok(words) => report.ok(CHECK, format!("{name}: {words}")),
        Err(error) => report.wrong(CHECK, &error.about(name)),
    }
}

fn judge(recipients: &[MessageRecipient], keys: &Keys) -> Result<String> {
    let is = |id: &str, known: &str| id.ends_with(known) || known.ends_with(id);
    let ids = || {
        recipients.iter().filter_map(|recipient| match recipient {
            MessageRecipient::Key(id) => Some(id.as_str()),
            MessageRecipient::Hidden => None,
        })
    };
    if let Some(ours) = ids().find(|id| keys.opened.iter().any(|known| is(id, known))) {
        return Ok(format!("opens with key {ours}, one of its {}", counted(recipients.len())));
    }
    if ids().count() < recipients.len() && !keys.opened.is_empty() {
        return Ok("hides its recipients, so every key will be tried".to_owned());
    }
    let refused = |message: String| Error::new(ErrorKind::NoSecretKey, message);
    let closed = ids().find_map(|id| keys.closed.iter().find(|(known, _)| is(id, known)));
    if let Some((id, file)) = closed {
        return Err(refused(format!("its key {id} is in {}, but does not open", file.display())));
    }
    let named: Vec<String> = ids().take(8).map(|id| format!("0x{id}")).collect();
    let none = match keys.given {
        Given::None => "no --secret-key is given, and it needs that of one of its",
        Given::Some => "no secret key for its",
    };
    let example = named.first().cloned().unwrap_or_else(|| "KEY".to_owned());
    Err(refused(format!("{none} {} {}", counted(recipients.len()), named.join(" "))).advise(format!(
        "export one with gpg --export-secret-keys {example} > czar.key, and give it with --secret-key czar.key"
    )))
}

fn counted(recipients: usize) -> String {
    if recipients == 1 { "1 recipient".to_owned() } else { format!("{recipients} recipients") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> MessageRecipient {
        MessageRecipient::Key(id.to_owned())
    }

    #[test]
    fn a_message_opens_with_any_key_that_it_names() {
        let opened = Keys { opened: ["BB".to_owned()].into(), given: Given::Some, ..Keys::default() };
        assert!(judge(&[key("AA"), key("BB")], &opened).is_ok_and(|text| text.contains("key BB, one of its 2")));
        assert!(judge(&[MessageRecipient::Hidden], &opened).is_ok_and(|text| text.contains("hides")));
        let error = judge(&[key("AA"), key("CC")], &opened).expect_err("neither is ours").to_string();
        assert!(error.starts_with("no secret key for its 2 recipients 0xAA 0xCC"), "{error}");
        assert!(error.contains("gpg --export-secret-keys 0xAA"), "{error}");
        let closed =
            Keys { closed: vec![("AA".to_owned(), "/czar.key".into())], given: Given::Some, ..Keys::default() };
        assert!(judge(&[key("AA")], &closed).is_err_and(|error| error.to_string().contains("/czar.key, but")));
        assert!(
            judge(&[key("AA")], &Keys::default()).is_err_and(|error| error.to_string().contains("no --secret-key"))
        );
        assert!(judge(&[MessageRecipient::Hidden], &Keys::default()).is_err());
    }
}
