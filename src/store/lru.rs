//! Which entry goes next: an order of last use with a weight for each entry. Pure, no files, no threads.

use std::hash::Hash;

use lru::LruCache;

/// Entries from most to least recently used; the sum of their weights is kept.
pub(super) struct Lru<K: Hash + Eq, V> {
    entries: LruCache<K, (V, u64)>,
    bytes: u64,
}

impl<K: Hash + Eq, V> Default for Lru<K, V> {
    fn default() -> Self {
        Lru { entries: LruCache::unbounded(), bytes: 0 }
    }
}

impl<K: Hash + Eq, V> Lru<K, V> {
    /// Sum of the weights.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Without making it the most recent.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.peek(key).map(|(value, _)| value)
    }

    /// The value, now the most recently used.
    pub fn touch(&mut self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// Adds an entry as the most recently used; one of the same key is replaced.
    pub fn insert(&mut self, key: K, value: V, bytes: u64) {
        self.bytes += bytes;
        if let Some((_, old)) = self.entries.put(key, (value, bytes)) {
            self.bytes -= old;
        }
    }

    /// Adds an entry as the least recently used, unless the key is there already.
    pub fn insert_oldest(&mut self, key: K, value: V, bytes: u64)
    where
        K: Clone,
    {
        if !self.entries.contains(&key) {
            self.insert(key.clone(), value, bytes);
            self.entries.demote(&key);
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (value, bytes) = self.entries.pop(key)?;
        self.bytes -= bytes;
        Some(value)
    }

    /// Removes least recently used entries until at most `limit` is left: first those that `prefer` picks, then any.
    pub fn shrink(&mut self, limit: u64, prefer: impl Fn(&V) -> bool) -> Vec<(K, V)>
    where
        K: Clone,
    {
        let mut excess = self.bytes.saturating_sub(limit);
        let mut keys = Vec::new();
        for (key, (value, bytes)) in self.entries.iter().rev() {
            if excess == 0 {
                break;
            }
            if prefer(value) {
                excess = excess.saturating_sub(*bytes);
                keys.push(key.clone());
            }
        }
        let mut gone: Vec<_> = keys.into_iter().filter_map(|key| self.remove(&key).map(|value| (key, value))).collect();
        while self.bytes > limit {
            let Some((key, (value, bytes))) = self.entries.pop_lru() else { break };
            self.bytes -= bytes;
            gone.push((key, value));
        }
        gone
    }
}

/// What a file takes on a disk with blocks of 4 KiB.
pub(super) fn disk_bytes(file_bytes: u64) -> u64 {
    file_bytes.div_ceil(4096).saturating_mul(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(gone: Vec<(u32, bool)>) -> Vec<u32> {
        gone.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn least_recently_used_goes_first_and_bytes_add_up() {
        let mut lru = Lru::default();
        for key in 0..5 {
            lru.insert(key, true, 10);
        }
        lru.touch(&0);
        lru.insert(1, true, 20);
        assert_eq!(lru.bytes(), 60);
        assert_eq!(keys(lru.shrink(35, |_| true)), [2, 3, 4]);
        assert_eq!(lru.bytes(), 30);
        assert_eq!(lru.remove(&0), Some(true));
        assert_eq!((lru.bytes(), lru.peek(&1).is_some(), lru.touch(&0)), (20, true, None));
    }

    #[test]
    fn what_is_not_preferred_goes_only_when_nothing_else_helps() {
        let mut lru = Lru::default();
        for key in 0..4 {
            lru.insert(key, key > 1, 10);
        }
        assert_eq!(keys(lru.shrink(20, |closed| *closed)), [2, 3]);
        assert_eq!(keys(lru.shrink(10, |closed| *closed)), [0]);
        assert_eq!(keys(lru.shrink(0, |closed| *closed)), [1]);
        assert!(lru.shrink(0, |_| true).is_empty());
    }

    #[test]
    fn entries_inserted_as_oldest_go_in_reverse_order_of_insertion() {
        let mut lru = Lru::default();
        lru.insert(9, true, 1);
        for key in [3, 2, 1, 9] {
            lru.insert_oldest(key, true, 1);
        }
        assert_eq!(lru.bytes(), 4);
        assert_eq!(keys(lru.shrink(0, |_| true)), [1, 2, 3, 9]);
    }

    #[test]
    fn files_are_counted_in_blocks() {
        assert_eq!([0, 1, 4096, 4097].map(disk_bytes), [0, 4096, 4096, 8192]);
    }
}
