//! edxfs mounts an edX research data package as a plain directory tree: decrypted, decompressed, one folder per
//! course run, made on demand, kept in a sealed, disk-backed LRU cache.
//!
//! The **tree** says which files exist and how each would be made; the **engine** makes them; the **store** keeps
//! the bytes; the **ledger** remembers how large they were. A **volume** joins the four; FUSE and the commands are
//! two thin skins over it; the **doctor** says why they do not work.
//!
//! ```text
//! source ──► object ──► decode ───────────────► recipe ──────► engine ─────────► volume ──► fuse, commands
//! S3/folder  key+ETag   openpgp gunzip unzip    split/shape    ledger + store      ▲
//!     └────► catalog ─────────────► tree: path → Node → Artifact ─────────────────┘
//! ```
//!
//! A **mirror** copies a source's encrypted objects into a folder, which is a source itself.
//!
//! The modules, in the order data flows:

pub mod error;

pub mod config;
pub mod lock;
pub mod shell;
pub mod source;

pub mod edx;

pub mod mirror;

pub mod decode;

pub mod catalog;
pub mod sqlite;

pub mod recipe;

pub mod store;

pub mod engine;

pub mod tree;

pub mod control;

pub mod volume;

pub mod encrypt;
pub mod export;
pub mod fuse;

pub mod doctor;

pub mod command;
pub mod demo;
