use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::control::server::MAX_CONNECTIONS;
use crate::control::status::Status;
use crate::error::{Error, ErrorKind};

fn private_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("it is ours");
    dir
}

fn served(dir: &Path) -> Serving {
    let answer = |request, replies: &mut Replies<'_>| match request {
        Request::Status => replies.send(&Reply::Status(Box::new(Status { problems: 7, ..Status::default() }))),
        Request::Where => replies.send(&Reply::Where { mount_point: Some(PathBuf::from("/mnt")), pid: 1 }),
        Request::Read { .. } => {
            replies.send(&Reply::Opened(opened()))?;
            replies.content(&mut &b"content"[..])
        }
        _ => replies.fail(&Error::new(ErrorKind::Archived, "is in the archive").about("a/key")),
    };
    serve(own(dir).expect("nobody owns it"), Arc::new(answer)).expect("can listen")
}

fn opened() -> Opened {
    Opened { bytes: 7, modified: Timestamp::UNIX_EPOCH, source: "bucket/a".into(), etag: "\"e\"".into() }
}

#[test]
fn an_owner_answers_until_it_ends() {
    let dir = private_dir();
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    let serving = served(dir.path());
    let expected = Reply::Where { mount_point: Some(PathBuf::from("/mnt")), pid: 1 };
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), Some(expected));
    assert!(matches!(ask(dir.path(), Request::Status).unwrap(), Some(Reply::Status(status)) if status.problems == 7));
    let error = ask(dir.path(), Request::Refresh).unwrap_err();
    assert_eq!(
        (error.kind(), error.subject(), &*error.message()),
        (ErrorKind::Archived, Some("a/key"), "is in the archive")
    );
    drop(serving);
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    assert!(!dir.path().join(SOCKET_NAME).exists());
}

#[test]
fn a_content_follows_its_reply() {
    let dir = private_dir();
    let _serving = served(dir.path());
    let mut conversation =
        Conversation::begin(dir.path(), &Request::Read { path: "a".into() }).unwrap().expect("somebody serves it");
    assert_eq!(conversation.reply().unwrap(), Reply::Opened(opened()));
    let mut content = String::new();
    conversation.read_to_string(&mut content).expect("it is whole");
    assert_eq!(content, "content");
}

#[test]
fn a_second_owner_is_told_the_first_ones_pid() {
    let dir = private_dir();
    let first = own(dir.path()).unwrap();
    let message = own(dir.path()).unwrap_err().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains("edxfs unmount"), "{message}");
    drop(first);
    own(dir.path()).expect("free again");
}

#[test]
fn a_stale_socket_is_replaced_and_means_nobody() {
    let dir = private_dir();
    drop(std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap());
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    let _serving = served(dir.path());
    assert!(ask(dir.path(), Request::Where).unwrap().is_some());
    let mode = fs::metadata(dir.path().join(SOCKET_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_path_longer_than_a_socket_address_works() {
    let dir = private_dir();
    let long = dir.path().join("x".repeat(120)).join("y".repeat(120));
    let _serving = served(&long);
    assert!(ask(&long, Request::Where).unwrap().is_some());
    assert_eq!(fs::metadata(&long).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_open_to_others_is_refused_with_the_remedy() {
    let dir = private_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    let message = own(dir.path()).unwrap_err().to_string();
    assert!(message.contains("mode 0750"), "{message}");
    assert!(message.contains(&format!("chmod 700 {}", dir.path().display())), "{message}");
}

#[test]
fn nonsense_and_endless_requests_are_answered_once() {
    let dir = private_dir();
    let _serving = served(dir.path());
    for nonsense in [b"{\"op\":\"destroy\"}\n".to_vec(), b"\xff\n".to_vec(), vec![b'x'; REQUEST_LIMIT as usize]] {
        let mut stream = UnixStream::connect(dir.path().join(SOCKET_NAME)).unwrap();
        stream.write_all(&nonsense).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("this is no request") && reply.ends_with("\n"), "{reply}");
        assert_eq!(reply.lines().count(), 1);
    }
    assert!(ask(dir.path(), Request::Where).unwrap().is_some());
}

#[test]
fn a_crowd_of_silent_clients_is_limited() {
    let dir = private_dir();
    let _serving = served(dir.path());
    let crowd: Vec<_> =
        (0..MAX_CONNECTIONS + 24).map(|_| UnixStream::connect(dir.path().join(SOCKET_NAME)).unwrap()).collect();
    let closed = |mut stream: &UnixStream| {
        stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        matches!(stream.read(&mut [0]), Ok(0))
    };
    // The one after the crowd is refused: connections are taken in order.
    assert!(closed(crowd.last().unwrap()));
    drop(crowd);
}
