//! A data package behind an S3 server on loopback that takes its time.
//!
//! `slow_bucket DATA-FOLDER MILLISECONDS` serves the buckets in the folder, each answer so much later, prints the
//! endpoint, and stays until its standard input is closed. Access key and secret: `bench`.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use edxfs::demo::bucket::{Credentials, Reply, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, milliseconds] = arguments.as_slice() else {
        return Err("usage: slow_bucket DATA-FOLDER MILLISECONDS".into());
    };
    let latency = Duration::from_millis(milliseconds.parse()?);
    let server = Server::start(Credentials::new("bench", "bench"))?;
    for bucket in ["edx-course-data", "course-data"] {
        server.add_bucket(bucket);
        let folder = Path::new(data).join(bucket);
        if folder.exists() {
            server.put_folder(bucket, &folder)?;
        }
    }
    server.set_hook(move |_| Reply::Delay(latency));
    println!("{}", server.endpoint_url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
