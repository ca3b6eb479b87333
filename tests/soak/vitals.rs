//! What a process holds: memory, descriptors, threads.

use std::fs;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    at: Instant,
    resident_kib: u64,
    peak_kib: u64,
    threads: u64,
    descriptors: u64,
}

impl Vitals {
    pub fn of(pid: u32) -> Vitals {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
            line.trim().trim_end_matches(" kB").parse().unwrap_or_else(|_| panic!("{name}{line}"))
        };
        let descriptors =
            fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors can be listed").count() as u64;
        Vitals {
            at: Instant::now(),
            resident_kib: number("VmRSS:"),
            peak_kib: number("VmHWM:"),
            threads: number("Threads:"),
            descriptors,
        }
    }
}

type Reading = fn(&Vitals) -> u64;

/// Fails if the last quarter's worst is far above the second quarter's: the first is for warming up.
pub fn assert_steady(samples: &[Vitals], begun: Instant, length: Duration) {
    let quarter = |number: u32| {
        let (from, to) = (begun + length / 4 * number, begun + length / 4 * (number + 1));
        samples.iter().filter(move |sample| sample.at >= from && sample.at <= to)
    };
    let most = |number: u32, of: Reading| quarter(number).map(of).max().expect("a sample in each quarter");
    let readings: [(&str, Reading, u64); 4] = [
        ("KiB of memory", |sample| sample.resident_kib, 48 << 10),
        ("KiB of memory at its peak", |sample| sample.peak_kib, 64 << 10),
        ("threads", |sample| sample.threads, 16),
        ("descriptors", |sample| sample.descriptors, 64),
    ];
    for (what, of, slack) in readings {
        let (early, late) = (most(1, of), most(3, of));
        eprintln!("{what}: {early}, later {late}");
        assert!(late <= early + early / 4 + slack, "the mount grows: {early} {what}, later {late}");
    }
}
