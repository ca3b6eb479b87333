//! Stands before a server: notes each request, and lets it and its answer through as they are, or nothing at all.
//!
//! It knows as much of HTTP as our own reading client needs: requests without a body, one after the other on a
//! connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use edxfs::demo::bucket::{Operation, Request};
use percent_encoding::percent_decode_str;

use super::is_get_of;

#[derive(Default)]
struct Shared {
    /// With numbers, so that one can be taken back.
    log: Vec<(usize, Request)>,
    noted: usize,
    slow: Vec<String>,
    delay: Duration,
    is_closed: bool,
    /// Clients that may still be there.
    clients: Vec<Weak<TcpStream>>,
}

pub struct Proxy {
    shared: Arc<Mutex<Shared>>,
    pub address: SocketAddr,
}

impl Proxy {
    /// Its thread waits for connections until the test's process ends.
    pub fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::<Mutex<Shared>>::default();
        let notes = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(client) = admitted(client, &notes) else { continue };
                let notes = notes.clone();
                // What breaks here is a connection that one of the two has given up.
                thread::spawn(move || drop(relay(&client, server, &notes)));
            }
        });
        Proxy { shared, address }
    }

    pub fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut lock(&self.shared).log).into_iter().map(|(_, request)| request).collect()
    }

    /// From now on the server seems to be away: every connection breaks, and so does every new one.
    pub fn close(&self) {
        let mut shared = lock(&self.shared);
        shared.is_closed = true;
        for client in shared.clients.drain(..).filter_map(|client| client.upgrade()) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    pub fn open(&self) {
        lock(&self.shared).is_closed = false;
    }

    pub fn delay(&self, endings: &[String], delay: Duration) {
        let mut shared = lock(&self.shared);
        (shared.slow, shared.delay) = (endings.to_vec(), delay);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn admitted(client: TcpStream, notes: &Mutex<Shared>) -> Option<Arc<TcpStream>> {
    let client = Arc::new(client);
    let mut shared = lock(notes);
    shared.clients.retain(|client| client.strong_count() > 0);
    shared.clients.push(Arc::downgrade(&client));
    (!shared.is_closed).then_some(client)
}

/// Hands on requests and answers until one side closes. A request that a closing server has not seen is no request: the
/// client sends it again.
fn relay(client: &Arc<TcpStream>, server: SocketAddr, notes: &Mutex<Shared>) -> io::Result<()> {
    let mut upstream = TcpStream::connect(server)?;
    let unanswered = Arc::<Mutex<Option<usize>>>::default();
    let back = {
        let (answers, reader, unanswered) = (upstream.try_clone()?, client.clone(), unanswered.clone());
        thread::spawn(move || hand_back(answers, &reader, &unanswered))
    };
    let mut requests = BufReader::new(&**client);
    while let Some(head) = next_head(&mut requests)? {
        let (number, wait) = lock(notes).note(parsed(&head));
        *unanswered.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        thread::sleep(wait);
        if upstream.write_all(head.as_bytes()).is_err() {
            break;
        }
    }
    let _ = upstream.shutdown(Shutdown::Write);
    let _ = back.join();
    let unseen = unanswered.lock().unwrap_or_else(PoisonError::into_inner).take();
    lock(notes).log.retain(|(number, _)| Some(*number) != unseen);
    Ok(())
}

fn hand_back(mut answers: TcpStream, mut client: &TcpStream, unanswered: &Mutex<Option<usize>>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = answers.read(&mut bytes) {
        unanswered.lock().unwrap_or_else(PoisonError::into_inner).take();
        if client.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

impl Shared {
    /// The request's number, and how long it has to wait.
    fn note(&mut self, request: Request) -> (usize, Duration) {
        let wait = if is_get_of(&request, &self.slow) { self.delay } else { Duration::ZERO };
        self.noted += 1;
        self.log.push((self.noted, request));
        (self.noted, wait)
    }
}

/// A request's lines up to the empty one; None once the client is done.
fn next_head(requests: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if requests.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

fn parsed(head: &str) -> Request {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let header = |name: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    assert!(header("content-length").is_none_or(|bytes| bytes == "0"), "a reader sends no body: {head}");
    let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
    let operation = match (method, key) {
        ("HEAD", _) => Operation::Head,
        (_, "") => Operation::List,
        _ => Operation::Get,
    };
    // AWS4-HMAC-SHA256 Credential=KEY/20150302/us-east-1/s3/aws4_request, …
    let authorization = header("authorization").unwrap_or_default();
    let scope = authorization.split_once("Credential=").map_or("", |(_, scope)| scope);
    Request {
        operation,
        bucket: bucket.to_owned(),
        key: decoded(if operation == Operation::List { prefix } else { key }),
        range: header("range"),
        if_match: header("if-match"),
        request_payer: header("x-amz-request-payer"),
        access_key: scope.split('/').next().unwrap_or_default().to_owned(),
        region: scope.split('/').nth(2).unwrap_or_default().to_owned(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
