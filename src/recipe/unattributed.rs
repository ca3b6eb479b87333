//! Puts the lines of no course folder back in the order of the log; no log, no folders.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use crate::edx::course_run::CourseId;
use crate::error::{Error, Result};
use crate::recipe::split::order::OrderReader;

/// Writes to `out`, in the log's order, `loose` and the segments of those merely mentioned ids that have no folder.
///
/// Inputs: the day's `Order`, its `Loose`, and each such id with its segment, whole; the order's other ids are left
/// out. Memory: 16 MiB of buffers, or 1 KiB for each. Errors: `Corrupt` where order and segments do not fit; the inputs' and `out`'s.
pub fn merge(
    order: &mut dyn Read,
    loose: &mut dyn Read,
    mentioned: &mut [(CourseId, Box<dyn Read>)],
    out: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut loose = BufReader::with_capacity(BUFFER_BYTES, loose);
    let each = (ALL_BUFFERS_BYTES / mentioned.len().max(1)).clamp(1 << 10, BUFFER_BYTES);
    let mut segments: HashMap<&CourseId, BufReader<&mut Box<dyn Read>>> =
        mentioned.iter_mut().map(|(id, segment)| (&*id, BufReader::with_capacity(each, segment))).collect();
    let mut runs = OrderReader::new(BufReader::new(order));
    while let Some(run) = runs.next_run()? {
        match run.id {
            None => copy(&mut loose, run.bytes, out)?,
            Some(id) => {
                if let Some(segment) = segments.get_mut(&id) {
                    copy(segment, run.bytes, out)?;
                }
            }
        }
    }
    let mut left_over = !loose.fill_buf()?.is_empty();
    for segment in segments.values_mut() {
        left_over |= !segment.fill_buf()?.is_empty();
    }
    if left_over { Err(Error::corrupt("a day's segments hold more lines than their order")) } else { Ok(()) }
}

const BUFFER_BYTES: usize = 64 << 10;

/// Ids come out of URLs that anybody can ask for: a scan of the site mentions thousands in a day.
const ALL_BUFFERS_BYTES: usize = 16 << 20;

fn copy(from: &mut dyn BufRead, mut bytes: u64, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    while bytes > 0 {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Err(Error::corrupt("a day's segments hold fewer lines than their order"));
        }
        let part = buffer.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        out(&buffer[..part])?;
        from.consume(part);
        bytes -= part as u64;
    }
    Ok(())
}
