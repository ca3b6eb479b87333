//! Tables of millions of rows, written as the pages that they are: SQLite itself makes the schema and all that is small.
//!
//! Rows come in the order of their rowids, and an index is written from sorted keys, so every b-tree grows at its right
//! end alone: each page is written once and is full. One insert through the library costs ten times as much.
//! Format: <https://www.sqlite.org/fileformat2.html>, chapters 1.2, 1.5, 1.6 and 2. Page size 4096, nothing reserved,
//! no free pages, no pointer map.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::sqlite::record::push_varint;
use crate::sqlite::{Destination, Scratch};

pub const PAGE_BYTES: usize = 4096;

/// Where the page count stands in the file.
const COUNT_OFFSET: u64 = 28;
/// The page that SQLite locks bytes in, at 1 GiB; it holds nothing.
const LOCK_PAGE: u32 = (1 << 30) / PAGE_BYTES as u32 + 1;
/// Pages that are written at once, and bytes that are read at once.
const BATCH_PAGES: usize = 64;
const STREAM_BYTES: usize = 512 * 1024;
/// Pages of the front that may wait in memory.
const MOST_REPLACED: usize = 2048;

/// A database whose schema is complete; pages are added at its end.
///
/// What SQLite has made, with the roots in it, waits in scratch space as the file's front; the pages behind it go straight
/// to their destination.
pub struct Pages<'d> {
    front: Box<dyn Scratch>,
    /// Pages that belong to the front.
    front_pages: u32,
    destination: &'d mut dyn Destination,
    /// Pages of the front that are not written yet: one by one, they would be scattered.
    replaced: BTreeMap<u32, Vec<u8>>,
    /// Pages so far; the next one gets this number plus 1.
    count: u32,
    /// Of the end, not handed on yet.
    batch: Vec<u8>,
}

impl<'d> Pages<'d> {
    /// Errors: `Internal` for a file that is not made of pages; the destination's own.
    pub fn behind(front: Box<dyn Scratch>, destination: &'d mut dyn Destination) -> Result<Self> {
        let count = pages_of(front.len())?;
        let front_pages = pages_of(destination.leave_front(front.len())?)?;
        Ok(Pages { front, front_pages, destination, replaced: BTreeMap::new(), count, batch: Vec::new() })
    }

    /// Adds a page; its number.
    fn add(&mut self, page: &[u8]) -> Result<u32> {
        if self.count + 1 == LOCK_PAGE {
            self.push(&[0; PAGE_BYTES])?;
        }
        self.push(page)
    }

    fn push(&mut self, page: &[u8]) -> Result<u32> {
        debug_assert_eq!(page.len(), PAGE_BYTES);
        self.count = self.count.checked_add(1).ok_or_else(too_large)?;
        if self.count <= self.front_pages {
            self.replace(self.count, page)?;
            return Ok(self.count);
        }
        self.batch.extend_from_slice(page);
        if self.batch.len() >= BATCH_PAGES * PAGE_BYTES {
            self.destination.append(&self.batch)?;
            self.batch.clear();
        }
        Ok(self.count)
    }

    /// Writes a page of the front: also an empty root that SQLite has made.
    fn replace(&mut self, number: u32, page: &[u8]) -> Result<()> {
        self.replaced.insert(number, page.to_vec());
        if self.replaced.len() >= MOST_REPLACED { self.write_replaced() } else { Ok(()) }
    }

    fn write_replaced(&mut self) -> Result<()> {
        for (number, page) in std::mem::take(&mut self.replaced) {
            self.front.write_at(&page, u64::from(number - 1) * PAGE_BYTES as u64)?;
        }
        Ok(())
    }

    /// Completes the file. Errors: `CacheFull`, local I/O.
    pub fn finish(mut self) -> Result<()> {
        self.destination.append(&self.batch)?;
        self.write_replaced()?;
        // A database in which nothing was ever made has no page, and no header.
        if self.count > 0 {
            self.front.write_at(&self.count.to_be_bytes(), COUNT_OFFSET)?;
        }
        self.destination.return_to_front()?;
        let mut buffer = vec![0; STREAM_BYTES];
        let mut offset = 0;
        loop {
            let bytes = self.front.read_at(&mut buffer, offset)?;
            if bytes == 0 {
                return Ok(());
            }
            self.destination.append(&buffer[..bytes])?;
            offset += bytes as u64;
        }
    }
}

fn pages_of(bytes: u64) -> Result<u32> {
    if !bytes.is_multiple_of(PAGE_BYTES as u64) {
        return Err(Error::internal("a database that is not made of pages"));
    }
    u32::try_from(bytes / PAGE_BYTES as u64).map_err(|_| too_large())
}

fn too_large() -> Error {
    Error::internal("a database of 16 TiB")
}

/// The two kinds of b-tree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    Index,
}

impl Kind {
    fn leaf_type(self) -> u8 {
        match self {
            Kind::Table => 0x0d,
            Kind::Index => 0x0a,
        }
    }

    fn interior_type(self) -> u8 {
        match self {
            Kind::Table => 0x05,
            Kind::Index => 0x02,
        }
    }

    /// Bytes of a payload that may stay in a page.
    fn most_local(self) -> usize {
        match self {
            Kind::Table => PAGE_BYTES - 35,
            Kind::Index => (PAGE_BYTES - 12) * 64 / 255 - 23,
        }
    }
}

const LEAST_LOCAL: usize = (PAGE_BYTES - 12) * 32 / 255 - 23;
/// What an overflow page holds behind the number of the next one.
const OVERFLOW_BYTES: usize = PAGE_BYTES - 4;

/// One page in the making: cells from its end downwards, pointers to them behind its header.
struct Page {
    bytes: Vec<u8>,
    header_bytes: usize,
    cells: usize,
    /// Where the last cell begins.
    content: usize,
}

impl Page {
    fn leaf(kind: Kind) -> Self {
        Self::new(kind.leaf_type(), 8)
    }

    fn interior(kind: Kind) -> Self {
        Self::new(kind.interior_type(), 12)
    }

    fn new(page_type: u8, header_bytes: usize) -> Self {
        let mut bytes = vec![0; PAGE_BYTES];
        bytes[0] = page_type;
        Page { bytes, header_bytes, cells: 0, content: PAGE_BYTES }
    }

    fn pointer(&self, cell: usize) -> usize {
        self.header_bytes + 2 * cell
    }

    /// False where there is no room for it.
    fn push(&mut self, cell: &[u8]) -> bool {
        if self.pointer(self.cells + 1) + cell.len() > self.content {
            return false;
        }
        self.content -= cell.len();
        self.bytes[self.content..self.content + cell.len()].copy_from_slice(cell);
        let pointer = self.pointer(self.cells);
        self.bytes[pointer..pointer + 2].copy_from_slice(&(self.content as u16).to_be_bytes());
        self.cells += 1;
        true
    }

    /// Takes the last cell out again.
    fn pop(&mut self) -> Vec<u8> {
        let before = if self.cells == 1 { PAGE_BYTES } else { self.start_of(self.cells - 2) };
        let cell = self.bytes[self.content..before].to_vec();
        self.bytes[self.content..before].fill(0);
        self.content = before;
        self.cells -= 1;
        let pointer = self.pointer(self.cells);
        self.bytes[pointer..pointer + 2].fill(0);
        cell
    }

    fn start_of(&self, cell: usize) -> usize {
        let pointer = self.pointer(cell);
        usize::from(u16::from_be_bytes([self.bytes[pointer], self.bytes[pointer + 1]]))
    }

    /// The page as it is written; `right` is the last child of an interior one.
    fn finish(&mut self, right: Option<u32>) -> &[u8] {
        self.bytes[3..5].copy_from_slice(&(self.cells as u16).to_be_bytes());
        self.bytes[5..7].copy_from_slice(&(self.content as u16).to_be_bytes());
        if let Some(right) = right {
            self.bytes[8..12].copy_from_slice(&right.to_be_bytes());
        }
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes[1..].fill(0);
        self.cells = 0;
        self.content = PAGE_BYTES;
    }
}

/// A b-tree that grows at its right end.
struct Tree {
    kind: Kind,
    root: u32,
    leaf: Page,
    /// From the lowest up.
    interiors: Vec<Page>,
    cell: Vec<u8>,
}

impl Tree {
    fn new(kind: Kind, root: u32) -> Self {
        Tree { kind, root, leaf: Page::leaf(kind), interiors: Vec::new(), cell: Vec::new() }
    }

    /// The cell of a payload in `self.cell`, behind what is there; what is too long goes to pages of its own.
    fn push_payload(&mut self, pages: &mut Pages<'_>, payload: &[u8]) -> Result<()> {
        let most = self.kind.most_local();
        if payload.len() <= most {
            self.cell.extend_from_slice(payload);
            return Ok(());
        }
        let kept = LEAST_LOCAL + (payload.len() - LEAST_LOCAL) % OVERFLOW_BYTES;
        let local = if kept <= most { kept } else { LEAST_LOCAL };
        self.cell.extend_from_slice(&payload[..local]);
        let first = push_overflow(pages, &payload[local..])?;
        self.cell.extend_from_slice(&first.to_be_bytes());
        Ok(())
    }

    /// Puts `self.cell` into the leaf, and a full leaf below its parent. `last_key`: of a table, that of the leaf's last.
    fn push_cell(&mut self, pages: &mut Pages<'_>, last_key: i64) -> Result<()> {
        if self.leaf.push(&self.cell) {
            return Ok(());
        }
        // An index keeps each entry once: the one between two leaves stands in their parent.
        let divider = match self.kind {
            Kind::Table => table_divider(last_key),
            Kind::Index => self.leaf.pop(),
        };
        let leaf = pages.add(self.leaf.finish(None))?;
        self.leaf.clear();
        if !self.leaf.push(&self.cell) {
            return Err(Error::internal("a cell does not fit into a page"));
        }
        self.push_child(pages, 0, leaf, &divider)
    }

    /// Adds a child and what divides it from the next one.
    fn push_child(&mut self, pages: &mut Pages<'_>, level: usize, child: u32, divider: &[u8]) -> Result<()> {
        if self.interiors.len() == level {
            self.interiors.push(Page::interior(self.kind));
        }
        let mut cell = child.to_be_bytes().to_vec();
        cell.extend_from_slice(divider);
        let page = &mut self.interiors[level];
        if page.push(&cell) {
            return Ok(());
        }
        // The last pair goes up: the page keeps its child, and the next page is not left without a cell.
        let last = page.pop();
        let (right, up) = last.split_first_chunk::<4>().ok_or_else(|| Error::internal("a cell without a child"))?;
        let full = pages.add(page.finish(Some(u32::from_be_bytes(*right))))?;
        let up = up.to_vec();
        page.clear();
        if !page.push(&cell) {
            return Err(Error::internal("a cell does not fit into a page"));
        }
        self.push_child(pages, level + 1, full, &up)
    }

    /// Writes what is left; the topmost page takes the root's place.
    fn finish(mut self, pages: &mut Pages<'_>) -> Result<()> {
        let mut page = self.leaf;
        let mut right = None;
        for parent in self.interiors.drain(..) {
            right = Some(pages.add(page.finish(right))?);
            page = parent;
        }
        pages.replace(self.root, page.finish(right))
    }
}

fn push_overflow(pages: &mut Pages<'_>, rest: &[u8]) -> Result<u32> {
    // Each page names the next, so the last one is written first.
    let mut next = 0_u32;
    for chunk in rest.chunks(OVERFLOW_BYTES).rev() {
        let mut page = Vec::with_capacity(PAGE_BYTES);
        page.extend_from_slice(&next.to_be_bytes());
        page.extend_from_slice(chunk);
        page.resize(PAGE_BYTES, 0);
        next = pages.add(&page)?;
    }
    Ok(next)
}

fn table_divider(key: i64) -> Vec<u8> {
    let mut divider = Vec::with_capacity(9);
    push_varint(&mut divider, key as u64);
    divider
}

/// A table whose rows come in order; their rowids count from 1.
pub struct TablePages {
    tree: Tree,
    rows: i64,
}

impl TablePages {
    /// `root`: the page that SQLite has made for the empty table.
    pub fn new(root: u32) -> Self {
        TablePages { tree: Tree::new(Kind::Table, root), rows: 0 }
    }

    /// Adds a row, a record in SQLite's format; its rowid. Errors: those of the file.
    pub fn push(&mut self, pages: &mut Pages<'_>, record: &[u8]) -> Result<i64> {
        let before = self.rows;
        self.rows += 1;
        self.tree.cell.clear();
        push_varint(&mut self.tree.cell, record.len() as u64);
        push_varint(&mut self.tree.cell, self.rows as u64);
        self.tree.push_payload(pages, record)?;
        self.tree.push_cell(pages, before)?;
        Ok(self.rows)
    }

    pub fn finish(self, pages: &mut Pages<'_>) -> Result<()> {
        if self.rows == 0 { Ok(()) } else { self.tree.finish(pages) }
    }
}

/// An index whose entries come in its order.
pub struct IndexPages {
    tree: Tree,
    is_empty: bool,
}

impl IndexPages {
    /// `root`: the page that SQLite has made for the empty index.
    pub fn new(root: u32) -> Self {
        IndexPages { tree: Tree::new(Kind::Index, root), is_empty: true }
    }

    /// Adds an entry: a record of the key and the rowid.
    pub fn push(&mut self, pages: &mut Pages<'_>, record: &[u8]) -> Result<()> {
        self.is_empty = false;
        self.tree.cell.clear();
        push_varint(&mut self.tree.cell, record.len() as u64);
        self.tree.push_payload(pages, record)?;
        self.tree.push_cell(pages, 0)
    }

    pub fn finish(self, pages: &mut Pages<'_>) -> Result<()> {
        if self.is_empty { Ok(()) } else { self.tree.finish(pages) }
    }
}
