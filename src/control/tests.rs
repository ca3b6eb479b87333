use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::*;
use crate::control::reach::dial;
use crate::control::server::{MAX_CONNECTIONS, MAX_READERS, PATIENCE};
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
        Request::Where => replies.send(&Reply::Where(Whereabouts { pid: 1, ..mounted() })),
        Request::Read { .. } => {
            replies.send(&Reply::Opened(opened()))?;
            replies.content(&mut &b"content"[..])
        }
        _ => replies.fail(&Error::new(ErrorKind::Archived, "is in the archive").about("a/key")),
    };
    serve(own(dir).expect("nobody owns it"), Arc::new(answer)).expect("can listen")
}

/// By this process, whatever number it gives itself.
fn mounted() -> Whereabouts {
    Whereabouts { mount_point: Some(PathBuf::from("/mnt")), pid: std::process::id(), ..Whereabouts::default() }
}

fn opened() -> Opened {
    Opened { bytes: 7, modified: Timestamp::UNIX_EPOCH, source: "bucket/a".into(), etag: "\"e\"".into() }
}

#[test]
fn an_owner_answers_until_it_ends() {
    let dir = private_dir();
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), None);
    let serving = served(dir.path());
    assert_eq!(ask(dir.path(), Request::Where).unwrap(), Some(Reply::Where(mounted())));
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
fn a_crowd_is_limited_and_told_so() {
    let dir = private_dir();
    let _serving = served(dir.path());
    let socket = dir.path().join(SOCKET_NAME);
    let silent: Vec<_> = (0..MAX_CONNECTIONS).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let error = ask(dir.path(), Request::Where).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("the mount is busy with 80 other commands; try again"), "{error}");
    drop(silent);
    assert!((0..100_000).any(|_| ask(dir.path(), Request::Where).is_ok()), "their places are free again");
}

#[test]
fn readers_leave_room_for_short_questions() {
    let dir = private_dir();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let answer = move |request, replies: &mut Replies<'_>| match request {
        Request::Where => replies.send(&Reply::Where(mounted())),
        _ => {
            // As long as the test has the other end.
            let _ = wait.lock().unwrap().recv();
            replies.send(&Reply::Done)
        }
    };
    let _serving = serve(own(dir.path()).unwrap(), Arc::new(answer)).unwrap();
    let read = || Conversation::begin(dir.path(), &Request::Read { path: "a".into() }).unwrap().unwrap();
    let mut readers: Vec<_> = (0..MAX_READERS).map(|_| read()).collect();
    // Requests are taken up in any order: one of them all is too many.
    readers.push(read());
    let glance = Duration::from_millis(5);
    let refused = || readers.iter_mut().find_map(|reader| reader.reply_unless(&|| true, glance).err());
    let error = std::iter::repeat_with(refused).take(100).flatten().next().expect("one of them is refused");
    assert!(error.message().contains("the mount is busy with 64 other commands; try again"), "{error}");
    assert!(ask(dir.path(), Request::Where).unwrap().is_some());
    drop(go);
}

#[test]
fn who_does_not_read_misses_steps_and_nothing_else() {
    const MANY: u64 = 10_000;
    let dir = private_dir();
    let (offered, all_offered) = std::sync::mpsc::channel();
    let failure = Failure { kind: ErrorKind::Corrupt, subject: Some("a".into()), message: "cut".into() };
    let unmade = failure.clone();
    let answer = move |_, replies: &mut Replies<'_>| {
        let steps = (0..MANY).map(|done_objects| Progress { done_objects, ..Progress::default() });
        steps.into_iter().try_for_each(|now| replies.offer(&Reply::Progress(now)))?;
        offered.send(()).unwrap();
        (0..MANY).try_for_each(|_| replies.send(&Reply::Unmade(unmade.clone())))?;
        replies.send(&Reply::Done)
    };
    let _serving = serve(own(dir.path()).unwrap(), Arc::new(answer)).unwrap();
    let request = Request::Index { paths: Vec::new() };
    let mut conversation = Conversation::begin(dir.path(), &request).unwrap().expect("somebody serves it");
    all_offered.recv_timeout(Duration::from_secs(60)).expect("no step waits for the reader");
    // Longer than a client may take that reads what was answered at once.
    std::thread::sleep(PATIENCE + Duration::from_secs(1));
    let (mut steps, mut failures) = (0, 0);
    loop {
        match conversation.reply() {
            Ok(Reply::Progress(_)) => steps += 1,
            Ok(Reply::Unmade(told)) if told == failure => failures += 1,
            Ok(Reply::Done) => break,
            other => panic!("{other:?} after {failures} failures"),
        }
    }
    assert_eq!(failures, MANY);
    assert!((1..MANY).contains(&steps), "{steps}");
}

/// A socket in `dir` whose listener takes up no connection, its queue full.
fn listening_without_an_ear(dir: &Path) -> (UnixListener, Vec<UnixStream>) {
    let socket = dir.join(SOCKET_NAME);
    let listener = UnixListener::bind(&socket).unwrap();
    // SAFETY: the descriptor is open; a listener may be told anew how long its queue is.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let queued = std::iter::from_fn(|| dial(&socket, Duration::from_millis(10)).ok()).collect();
    (listener, queued)
}

#[test]
fn an_owner_that_takes_up_nothing_is_given_up() {
    let dir = private_dir();
    let _deaf = listening_without_an_ear(dir.path());
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = ask_by(dir.path(), Request::Where, deadline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.message().contains("takes up no connection"), "{error}");
}

#[test]
fn an_owner_that_dribbles_is_given_up() {
    let dir = private_dir();
    let listener = UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap();
    let dribbling = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(ask_by(dir.path(), Request::Where, deadline).unwrap_err().kind(), ErrorKind::TimedOut);
    dribbling.join().unwrap();
}

#[test]
fn who_listens_in_a_folder_open_to_others_is_not_asked() {
    let dir = private_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let listener = UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap();
    let error = ask(dir.path(), Request::Where).unwrap_err();
    assert!(error.message().contains("mode 0755"), "{error}");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody has connected");
}

#[test]
fn root_may_ask_how_a_users_owner_is_and_no_more() {
    let dir = private_dir();
    let _listener = UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap();
    // Not to be had by everybody: the folder becomes another user's, and who listens in it stays root.
    if our_uid() != 0 {
        return;
    }
    std::os::unix::fs::chown(dir.path(), Some(65534), Some(65534)).unwrap();
    let message = |request| ask(dir.path(), request).unwrap_err().to_string();
    assert!(message(Request::Where).contains("is another user's"), "the folder's user alone may own it");
    assert!(message(Request::List { path: String::new() }).contains("belongs to user 65534"));
}

#[test]
fn paths_that_are_no_utf8_come_through() {
    for mount_point in [None, Some(PathBuf::from("/mnt")), Some(OsString::from_vec(b"/mnt/\xe5".to_vec()).into())] {
        let place = Whereabouts { mount_point: mount_point.clone(), ..Whereabouts::default() };
        let text = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Whereabouts>(&text).unwrap(), place, "{text}");
        let status = Status { cache_dirs: mount_point.iter().cloned().collect(), mount_point, ..Status::default() };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status, "{text}");
    }
}

#[test]
fn an_owner_of_an_earlier_version_still_says_where_it_is() {
    let reply: Reply = serde_json::from_str(r#"{"is":"where","mount_point":"/mnt","pid":7}"#).unwrap();
    let place = Whereabouts { mount_point: Some(PathBuf::from("/mnt")), pid: 7, ..Whereabouts::default() };
    assert_eq!(reply, Reply::Where(place));
}
