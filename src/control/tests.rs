use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;

fn private_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("it is ours");
    dir
}

fn served(dir: &Path) -> Serving {
    let answer = |request| match request {
        Request::Status => Reply::Status(Box::new(Status { problems: 7, ..Status::default() })),
        Request::Where => Reply::Where { mount_point: Some(PathBuf::from("/mnt")), pid: 1 },
        Request::Refresh => Reply::Failed { message: "the source is away".into() },
    };
    serve(own(dir).expect("nobody owns it"), Arc::new(answer)).expect("can listen")
}

#[test]
fn an_owner_answers_until_it_ends() {
    let dir = private_dir();
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    let serving = served(dir.path());
    let expected = Reply::Where { mount_point: Some(PathBuf::from("/mnt")), pid: 1 };
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), Some(expected));
    assert!(matches!(ask(dir.path(), Request::Status).unwrap(), Some(Reply::Status(status)) if status.problems == 7));
    assert!(ask(dir.path(), Request::Refresh).unwrap_err().to_string().contains("the source is away"));
    drop(serving);
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    assert!(!dir.path().join(SOCKET_NAME).exists());
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
        assert_eq!(reply, "{\"is\":\"failed\",\"message\":\"this is no request\"}\n");
    }
    assert!(ask(dir.path(), Request::Where).unwrap().is_some());
}

#[test]
fn a_crowd_of_silent_clients_is_limited() {
    let dir = private_dir();
    let _serving = served(dir.path());
    let crowd: Vec<_> = (0..40).map(|_| UnixStream::connect(dir.path().join(SOCKET_NAME)).unwrap()).collect();
    let closed = |mut stream: &UnixStream| {
        stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        matches!(stream.read(&mut [0]), Ok(0))
    };
    // The one after the crowd is refused: connections are taken in order.
    assert!(closed(crowd.last().unwrap()));
    drop(crowd);
}
