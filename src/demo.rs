//! A small but true-to-format data package, made by GnuPG, zip and gzip, deterministic by seed.

pub mod bucket;
