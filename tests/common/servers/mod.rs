//! The S3 servers that the tests read from: our own, and two that other people made.
//!
//! A test that injects no fault and checks no signature runs once on each: it takes its server as a type, and
//! `on_every_server!` makes a test of it for each. What only our own can do (faults, policies) stays with
//! `edxfs::demo::bucket::Server`.
//!
//! | server | what it is | where it comes from |
//! |---|---|---|
//! | `Server` | our own, over s3s | the crate |
//! | `Moto` | another implementation of the protocol, in Python | `scripts/setup-moto` |
//! | `Minio` | a real store, that checks signatures | `scripts/test-minio`, which runs the tests that are ignored here |
#![allow(dead_code, unused_imports, unused_macros)]

mod outside;
mod process;
pub mod proxy;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};

use edxfs::demo::bucket::{Credentials, Object, Operation, Reply, Request, Server};

pub use self::outside::{Minio, Moto};

pub const ACCESS_KEY: &str = "KEY";
pub const SECRET: &str = "secret-of-tests";

/// An S3 server on loopback: empty at first, ended when dropped, with a log of what it was asked.
pub trait S3Server: Sized {
    fn start() -> Self;

    fn endpoint_url(&self) -> String;

    fn add_bucket(&self, bucket: &str);

    fn put(&self, bucket: &str, key: &str, bytes: &[u8]);

    /// In a storage class that must be restored before it can be read.
    fn put_archived(&self, bucket: &str, key: &str, bytes: &[u8]);

    fn delete(&self, bucket: &str, key: &str);

    /// Every regular file below `root` becomes an object, keyed by its path below `root`; there is such a bucket.
    fn put_folder(&self, bucket: &str, root: &Path);

    /// What was asked since the last call, oldest first; not what the tests themselves put there.
    fn take_log(&self) -> Vec<Request>;

    /// Makes its listings' pages as small as it can, and says how many keys one has at most.
    fn small_pages(&self) -> usize;

    /// From now on this bucket can be listed and read only under `org/`, as edX's policy has it; a server that knows no
    /// policy allows more.
    fn restrict(&self, bucket: &str, org: &str);

    /// From now on objects whose key ends so come after `delay`.
    fn delay(&self, endings: &[String], delay: Duration);
}

/// A port at which nobody answers, and that no other test's server is given as long as this lives.
pub struct Gone(OwnedFd);

impl Gone {
    /// Ends a server.
    pub fn end(server: Server) -> Gone {
        let address = address(&server);
        drop(server);
        // The listener is closed soon after.
        for _ in 0..1000 {
            let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
            // Connections that have ended keep the address for a while.
            net::sockopt::set_socket_reuseaddr(&socket, true).expect("it is ours");
            if net::bind(&socket, &address).is_ok() {
                net::sockopt::set_socket_reuseaddr(&socket, false).expect("it is ours");
                return Gone(socket);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end");
    }
}

/// Where a server of our own listens.
pub fn address(server: &Server) -> SocketAddr {
    server.endpoint_url().trim_start_matches("http://").parse().expect("an address")
}

impl S3Server for Server {
    fn start() -> Self {
        Server::start(Credentials::new(ACCESS_KEY, SECRET)).expect("a port is free")
    }

    fn endpoint_url(&self) -> String {
        Server::endpoint_url(self)
    }

    fn add_bucket(&self, bucket: &str) {
        Server::add_bucket(self, bucket);
    }

    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        Server::put(self, bucket, key, Object::memory(bytes));
    }

    fn put_archived(&self, bucket: &str, key: &str, bytes: &[u8]) {
        Server::put(self, bucket, key, Object::memory(bytes).storage_class("DEEP_ARCHIVE"));
    }

    fn delete(&self, bucket: &str, key: &str) {
        Server::delete(self, bucket, key);
    }

    fn put_folder(&self, bucket: &str, root: &Path) {
        Server::put_folder(self, bucket, root).expect("the folder can be read");
    }

    fn take_log(&self) -> Vec<Request> {
        Server::take_log(self)
    }

    fn small_pages(&self) -> usize {
        self.set_page_keys(3);
        3
    }

    fn restrict(&self, bucket: &str, org: &str) {
        Server::restrict(self, bucket, org);
    }

    fn delay(&self, endings: &[String], delay: Duration) {
        let endings = endings.to_vec();
        self.set_hook(move |request| match is_get_of(request, &endings) {
            true => Reply::Delay(delay),
            false => Reply::Pass,
        });
    }
}

fn is_get_of(request: &Request, endings: &[String]) -> bool {
    request.operation == Operation::Get && endings.iter().any(|end| request.key.ends_with(end))
}

/// Makes a test of each function, on each server: `fn it_holds<S: S3Server>()`.
macro_rules! on_every_server {
    ($($test:ident),+ $(,)?) => {
        $crate::servers::on_our_server_and_moto!($($test),+);

        mod minio {
            $(
                #[test]
                #[ignore = "MinIO takes minutes to build: scripts/test-minio"]
                fn $test() {
                    super::$test::<$crate::servers::Minio>();
                }
            )+
        }
    };
}

/// The same for what MinIO has not.
macro_rules! on_our_server_and_moto {
    ($($test:ident),+ $(,)?) => {
        mod ours {
            $(
                #[test]
                fn $test() {
                    super::$test::<edxfs::demo::bucket::Server>();
                }
            )+
        }

        mod moto {
            $(
                #[test]
                fn $test() {
                    super::$test::<$crate::servers::Moto>();
                }
            )+
        }
    };
}

pub(crate) use {on_every_server, on_our_server_and_moto};
