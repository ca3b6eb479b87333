//! The fast scanner: one pass over a line in blocks of 64 bytes, each turned into bit masks.
//!
//! Strings are found as simdjson finds them (Langdale and Lemire, "Parsing Gigabytes of JSON per Second"): quotes
//! that no odd run of backslashes escapes, then a prefix xor. Only the brackets and colons outside strings are then
//! looked at one by one. Forms that do not occur in practice, depth beyond 64 and backslashes outside strings, are
//! left to the byte walker; so is everything on processors without AVX2.

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use crate::edx::tracking_log::text::unescape;
use crate::edx::tracking_log::walk::walk;
use crate::edx::tracking_log::{Fields, Span, context_member, event_member, is_white, skip_white};

const BLOCK: usize = 64;

/// The members of the event in `line`, as `walk` finds them; None where the processor lacks what this needs.
#[inline]
pub(super) fn scan(line: &[u8]) -> Option<Scanned<'_>> {
    let able = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("lzcnt");
    // SAFETY: the features that the function is compiled for were just seen to be there.
    able.then(|| unsafe { scan_with_features(line) })
}

/// None where the line is not an event.
pub(super) type Scanned<'a> = Option<Fields<'a>>;

#[target_feature(enable = "avx2,pclmulqdq,bmi1,lzcnt")]
fn scan_with_features(line: &[u8]) -> Scanned<'_> {
    scan_blocks(line, |block| classify(block), |bits| prefix_xor(bits))
}

/// One bit for each byte of a block, the first byte lowest.
#[derive(Clone, Copy)]
struct Masks {
    quote: u64,
    backslash: u64,
    /// Brackets and colons.
    structural: u64,
}

#[inline]
#[target_feature(enable = "avx2")]
fn classify(block: &[u8; BLOCK]) -> Masks {
    let halves = [0, BLOCK / 2].map(|at| {
        // SAFETY: 32 bytes from 0 and from 32 lie in the block; the load needs no alignment.
        unsafe { _mm256_loadu_si256(block.as_ptr().add(at).cast::<__m256i>()) }
    });
    let equal = |bytes: __m256i, byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
    let mask = |low: __m256i, high: __m256i| {
        u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
    };
    let structural = halves.map(|bytes| {
        // `[` and `]` differ from `{` and `}` in this one bit.
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        let brackets = _mm256_or_si256(equal(folded, b'{'), equal(folded, b'}'));
        _mm256_or_si256(brackets, equal(bytes, b':'))
    });
    Masks {
        quote: mask(equal(halves[0], b'"'), equal(halves[1], b'"')),
        backslash: mask(equal(halves[0], b'\\'), equal(halves[1], b'\\')),
        structural: mask(structural[0], structural[1]),
    }
}

/// Each bit the parity of the bits up to and including it.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn prefix_xor(bits: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set_epi64x(0, -1));
    _mm_cvtsi128_si64(product) as u64
}

/// How a look at one structural byte ends.
enum Step {
    On,
    /// The object ends here.
    End,
    Malformed,
    /// Not for this scanner.
    Rare,
}

/// Takes the two functions that need the processor's features as closures, and is inlined into the function that has
/// them: so all of it is compiled for them.
#[inline(always)]
fn scan_blocks(line: &[u8], classify: impl Fn(&[u8; BLOCK]) -> Masks, prefix_xor: impl Fn(u64) -> u64) -> Scanned<'_> {
    let start = if line.first() == Some(&b'{') { 0 } else { memchr::memchr(b'{', line)? };
    let mut machine = Machine::new(line);
    let mut strings = Strings { escaped: 0, inside: 0 };
    let mut base = start;
    while base < line.len() {
        let masks = load(line, base, &classify);
        let quotes = masks.quote & !strings.escaped_bytes(masks.backslash);
        let inside = prefix_xor(quotes) ^ strings.inside;
        strings.inside = ((inside as i64) >> 63) as u64;
        if masks.backslash & !inside != 0 {
            return walk(line);
        }
        let block = Block { base, quotes, backslashes: masks.backslash };
        let mut bits = masks.structural & !inside;
        while bits != 0 {
            let at = base + bits.trailing_zeros() as usize;
            match machine.step(at, &block) {
                Step::On => {}
                Step::End => return line[at + 1..].iter().all(|&byte| is_white(byte)).then_some(machine.fields),
                Step::Malformed => return None,
                Step::Rare => return walk(line),
            }
            bits &= bits - 1;
        }
        if quotes != 0 {
            machine.last_quote = base + 63 - quotes.leading_zeros() as usize;
        }
        base += BLOCK;
    }
    None
}

/// The masks of the block at `base`; bits beyond the line are 0.
#[inline(always)]
fn load(line: &[u8], base: usize, classify: &impl Fn(&[u8; BLOCK]) -> Masks) -> Masks {
    if let Some(block) = line[base..].first_chunk() {
        return classify(block);
    }
    let left = line.len() - base;
    // The line's last 64 bytes, those before `base` shifted out, spare a copy.
    if let Some(block) = line.last_chunk() {
        let masks = classify(block);
        let shift = BLOCK - left;
        return Masks {
            quote: masks.quote >> shift,
            backslash: masks.backslash >> shift,
            structural: masks.structural >> shift,
        };
    }
    let mut block = [0; BLOCK];
    block[..left].copy_from_slice(&line[base..]);
    classify(&block)
}

/// What one block hands to the next about strings.
struct Strings {
    /// 1 if the next block's first byte is escaped.
    escaped: u64,
    /// All ones if the next block begins in a string.
    inside: u64,
}

impl Strings {
    /// The bytes that a backslash before them escapes.
    #[inline(always)]
    fn escaped_bytes(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslash = backslash & !self.escaped;
        let follows = backslash << 1 | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (runs_from_even, overflow) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(overflow);
        (EVEN ^ (runs_from_even << 1)) & follows
    }
}

/// What is needed of a block to find the key that ends in it.
struct Block {
    base: usize,
    /// The quotes that begin and end strings.
    quotes: u64,
    backslashes: u64,
}

/// Which brackets are open, and what was found.
struct Machine<'a> {
    line: &'a [u8],
    depth: u32,
    /// The open brackets, the innermost lowest: 1 for `[`.
    kinds: u64,
    /// Whether the bracket at depth 2 is that of the context.
    second_is_context: bool,
    /// The last quote before the present block.
    last_quote: usize,
    fields: Fields<'a>,
}

impl<'a> Machine<'a> {
    #[inline(always)]
    fn new(line: &'a [u8]) -> Self {
        Machine { line, depth: 0, kinds: 0, second_is_context: false, last_quote: 0, fields: Fields::none_yet(line) }
    }

    #[inline(always)]
    fn step(&mut self, at: usize, block: &Block) -> Step {
        match self.line[at] {
            b':' => {
                if self.depth == 1 || (self.depth == 2 && self.second_is_context) {
                    self.colon(at, block);
                }
                Step::On
            }
            byte @ (b'{' | b'[') => self.open(at, byte),
            byte => self.close(byte),
        }
    }

    #[inline(always)]
    fn open(&mut self, at: usize, byte: u8) -> Step {
        if self.depth == u64::BITS {
            return Step::Rare;
        }
        if self.depth == 1 {
            self.second_is_context = self.fields.is_context(at);
        }
        self.depth += 1;
        self.kinds = self.kinds << 1 | u64::from(byte == b'[');
        Step::On
    }

    #[inline(always)]
    fn close(&mut self, byte: u8) -> Step {
        if self.kinds & 1 != u64::from(byte == b']') {
            return Step::Malformed;
        }
        self.kinds >>= 1;
        self.depth -= 1;
        if self.depth == 0 { Step::End } else { Step::On }
    }

    /// Notes the member whose key ends before the colon `at`, if it is one of ours.
    #[inline(always)]
    fn colon(&mut self, at: usize, block: &Block) {
        let Some(span) = self.key_before(at, block) else { return };
        let key = &self.line[span.clone()];
        let plain = if self.depth == 1 { event_member(key) } else { context_member(key) };
        if let Some(member) = plain {
            self.fields.set(member, skip_white(self.line, at + 1));
        } else if (block.backslashes != 0 || span.start <= block.base) && key.contains(&b'\\') {
            self.escaped_key(span, at);
        }
    }

    #[cold]
    fn escaped_key(&mut self, key: Span, colon: usize) {
        let key = unescape(&self.line[key]);
        let member = if self.depth == 1 { event_member(key.as_bytes()) } else { context_member(key.as_bytes()) };
        if let Some(member) = member {
            self.fields.set(member, skip_white(self.line, colon + 1));
        }
    }

    /// The string before the colon, if nothing but white space stands between.
    #[inline(always)]
    fn key_before(&self, colon: usize, block: &Block) -> Option<Span> {
        let mut close = colon - 1;
        while is_white(self.line[close]) {
            close -= 1;
        }
        if self.line[close] != b'"' {
            return None;
        }
        if close < block.base {
            return Some(self.opening_quote(close) + 1..close);
        }
        let before = block.quotes & ((1 << (close - block.base)) - 1);
        let open = match before {
            0 => self.last_quote,
            _ => block.base + 63 - before.leading_zeros() as usize,
        };
        Some(open + 1..close)
    }

    /// The quote that begins the string ended by the one at `close`, which lies before the present block.
    #[cold]
    fn opening_quote(&self, close: usize) -> usize {
        let mut open = close - 1;
        while self.line[open] != b'"' || ends_in_odd_backslashes(&self.line[..open]) {
            open -= 1;
        }
        open
    }
}

fn ends_in_odd_backslashes(bytes: &[u8]) -> bool {
    bytes.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
