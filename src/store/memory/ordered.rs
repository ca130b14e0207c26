//! Items in the order of their keys: added mostly at the end, removed mostly at the beginning, found anywhere.
//!
//! A deque of short deques. One deque of millions would stand still while it is copied to grow, and could not close a
//! hole in its middle; a tree of the standard library costs several times as much an append, and leaves its nodes half
//! empty when keys come in order; a hash table jumps through memory that is warm in nobody's cache.

use std::collections::VecDeque;

/// Items by keys that mostly come in order; no operation moves more than `N` of them.
#[derive(Debug)]
pub(super) struct Ordered<K, T, const N: usize> {
    chunks: VecDeque<Chunk<K, T>>,
    len: usize,
    /// The room of a chunk that was emptied, for the next one: where the oldest goes as the newest comes, memory that
    /// is warm is used again instead of going back to the system page by page.
    spare: Option<Chunk<K, T>>,
}

/// Never empty. Keys and items stand apart, so that a search touches little memory.
#[derive(Debug)]
struct Chunk<K, T> {
    /// The first of the keys, here so that a search among the chunks does not touch them all.
    first: K,
    keys: VecDeque<K>,
    items: VecDeque<T>,
}

/// With fewer items a chunk keeps its room.
const SMALL: usize = 8;

impl<K: Copy + Ord, T, const N: usize> Ordered<K, T, N> {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new(), len: 0, spare: None }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds an item; false when the key is there already, and then nothing is changed.
    pub(super) fn insert(&mut self, key: K, item: T) -> bool {
        let Some(at) = self.chunk_of(key) else {
            // The first chunk of all starts small: many owners never have more than a few items.
            let room = if self.chunks.is_empty() { SMALL } else { N };
            self.chunks.reserve_exact(usize::from(self.chunks.is_empty()));
            self.chunks.push_front(Chunk::of(key, item, room));
            self.len += 1;
            return true;
        };
        let is_last = at + 1 == self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        let Err(index) = chunk.find(key) else { return false };
        self.len += 1;
        if chunk.keys.len() < N {
            chunk.keys.insert(index, key);
            chunk.items.insert(index, item);
        } else if is_last && index == N {
            let chunk = match self.spare.take() {
                Some(spare) => spare.again(key, item),
                None => Chunk::of(key, item, N),
            };
            self.chunks.push_back(chunk);
        } else {
            let (mut keys, mut items) = (chunk.keys.split_off(N / 2), chunk.items.split_off(N / 2));
            if let Some(index) = index.checked_sub(N / 2) {
                keys.insert(index, key);
                items.insert(index, item);
            } else {
                chunk.keys.insert(index, key);
                chunk.items.insert(index, item);
            }
            let first = keys.front().copied().unwrap_or(key);
            self.chunks.insert(at + 1, Chunk { first, keys, items });
        }
        true
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        let chunk = self.chunks.get(self.chunk_of(key)?)?;
        chunk.items.get(chunk.find(key).ok()?)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let at = self.chunk_of(key)?;
        let chunk = self.chunks.get_mut(at)?;
        let index = chunk.find(key).ok()?;
        chunk.items.get_mut(index)
    }

    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        let at = self.chunk_of(key)?;
        let index = self.chunks.get(at)?.find(key).ok()?;
        self.remove_at(at, index)
    }

    pub(super) fn remove_first(&mut self) -> Option<T> {
        self.remove_at(0, 0)
    }

    pub(super) fn first(&self) -> Option<(K, &T)> {
        let chunk = self.chunks.front()?;
        Some((chunk.first, chunk.items.front()?))
    }

    pub(super) fn last(&self) -> Option<(K, &T)> {
        let chunk = self.chunks.back()?;
        Some((*chunk.keys.back()?, chunk.items.back()?))
    }

    /// What stands behind `key`, in order.
    pub(super) fn after(&self, key: K) -> impl Iterator<Item = (K, &T)> {
        let (at, index) = self.seek(|other| other <= key);
        let mut chunks = self.chunks.range(at..);
        let rest_of_first = chunks.next().map(|chunk| chunk.range(index, chunk.keys.len()));
        rest_of_first.into_iter().flatten().chain(chunks.flat_map(|chunk| chunk.range(0, chunk.keys.len())))
    }

    /// What stands before `key`, in reverse order.
    pub(super) fn before(&self, key: K) -> impl Iterator<Item = (K, &T)> {
        let (at, index) = self.seek(|other| other < key);
        let rest_of_last = self.chunks.get(at).map(|chunk| chunk.range(0, index).rev());
        let chunks = self.chunks.range(..at).rev();
        rest_of_last
            .into_iter()
            .flatten()
            .chain(chunks.flat_map(|chunk| chunk.range(0, chunk.keys.len()).rev()))
    }

    /// The last key of which `holds` is true, where it is true of all before it.
    pub(super) fn last_where(&self, holds: impl Fn(K) -> bool) -> Option<K> {
        let (at, index) = self.seek(holds);
        self.chunks.get(at)?.keys.get(index.checked_sub(1)?).copied()
    }

    /// The end of those of which `holds` is true: a chunk, and how many of its items are among them.
    fn seek(&self, holds: impl Fn(K) -> bool) -> (usize, usize) {
        let at = self.chunks.partition_point(|chunk| holds(chunk.first)).saturating_sub(1);
        (at, self.chunks.get(at).map_or(0, |chunk| chunk.keys.partition_point(|key| holds(*key))))
    }

    /// The last chunk that begins at or before `key`.
    fn chunk_of(&self, key: K) -> Option<usize> {
        // Who appends asks for the newest, who evicts for the oldest.
        if self.chunks.back().is_some_and(|last| last.first <= key) {
            return Some(self.chunks.len() - 1);
        }
        if self.chunks.get(1).is_some_and(|second| key < second.first) {
            return self.chunks.front().filter(|first| first.first <= key).map(|_| 0);
        }
        self.chunks.partition_point(|chunk| chunk.first <= key).checked_sub(1)
    }

    fn remove_at(&mut self, at: usize, index: usize) -> Option<T> {
        let is_being_used_up = at == 0 && self.chunks.len() > 1;
        let chunk = self.chunks.get_mut(at)?;
        chunk.keys.remove(index)?;
        let item = chunk.items.remove(index);
        self.len -= 1;
        if let Some(first) = chunk.keys.front() {
            chunk.first = *first;
            // The room of the first is wanted whole, by the next one.
            if !is_being_used_up {
                chunk.give_room_back();
            }
        } else {
            let emptied = self.chunks.remove(at);
            // Lists that are small, and there are many of them, keep nothing.
            self.spare = emptied.filter(|chunk| self.chunks.len() > 1 && chunk.keys.capacity() >= N);
        }
        item
    }
}

impl<K: Copy + Ord, T> Chunk<K, T> {
    fn of(key: K, item: T, room: usize) -> Self {
        let (mut keys, mut items) = (VecDeque::with_capacity(room), VecDeque::with_capacity(room));
        keys.push_back(key);
        items.push_back(item);
        Self { first: key, keys, items }
    }

    /// The room of an emptied chunk, used again.
    fn again(mut self, key: K, item: T) -> Self {
        self.first = key;
        self.keys.push_back(key);
        self.items.push_back(item);
        self
    }

    /// Where the key is, or where it would have to be.
    fn find(&self, key: K) -> Result<usize, usize> {
        match self.keys.back() {
            Some(last) if *last < key => Err(self.keys.len()),
            Some(last) if *last == key => Ok(self.keys.len() - 1),
            _ if self.first == key => Ok(0),
            _ => self.keys.binary_search(&key),
        }
    }

    fn range(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = (K, &T)> {
        self.keys.range(from..to).copied().zip(self.items.range(from..to))
    }

    fn give_room_back(&mut self) {
        let len = self.keys.len();
        if len >= SMALL && len * 4 <= self.keys.capacity() {
            self.keys.shrink_to(len * 2);
            self.items.shrink_to(len * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Append(u64),
        Insert(u64),
        Remove(u64),
        RemoveFirst,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1..4u64).prop_map(Step::Append),
            1 => (0..200u64).prop_map(Step::Insert),
            2 => (0..200u64).prop_map(Step::Remove),
            1 => Just(Step::RemoveFirst),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_holds_what_a_sorted_map_holds(steps in steps(), ask in 0..300u64) {
            let (mut ordered, mut model) = (Ordered::<u64, u64, 4>::new(), BTreeMap::new());
            for step in steps {
                let last = model.keys().next_back().copied().unwrap_or(0);
                match step {
                    Step::Append(gap) => {
                        prop_assert!(ordered.insert(last + gap, gap));
                        model.insert(last + gap, gap);
                    }
                    Step::Insert(key) => {
                        prop_assert_eq!(ordered.insert(key, key), !model.contains_key(&key));
                        model.entry(key).or_insert(key);
                    }
                    Step::Remove(key) => prop_assert_eq!(ordered.remove(key), model.remove(&key)),
                    Step::RemoveFirst => {
                        prop_assert_eq!(ordered.remove_first(), model.pop_first().map(|(_, item)| item));
                    }
                }
                prop_assert_eq!(ordered.first().map(|(key, _)| key), model.keys().next().copied());
                prop_assert_eq!(ordered.last().map(|(key, _)| key), model.keys().next_back().copied());
                prop_assert_eq!(ordered.len(), model.len());
            }
            let list = |items: &mut dyn Iterator<Item = (u64, &u64)>| items.map(|(k, v)| (k, *v)).collect::<Vec<_>>();
            let behind = list(&mut model.range(ask + 1..).map(|(k, v)| (*k, v)));
            let in_front = list(&mut model.range(..ask).rev().map(|(k, v)| (*k, v)));
            prop_assert_eq!(list(&mut ordered.after(ask)), behind);
            prop_assert_eq!(list(&mut ordered.before(ask)), in_front);
            prop_assert_eq!(ordered.get(ask), model.get(&ask));
            prop_assert_eq!(ordered.get_mut(ask), model.get_mut(&ask));
            prop_assert_eq!(ordered.last_where(|k| k <= ask), model.range(..=ask).next_back().map(|(k, _)| *k));
        }
    }

    #[test]
    fn what_is_removed_gives_its_room_back() {
        let mut ordered = Ordered::<u64, u64, 256>::new();
        assert!((1..=10_000).all(|key| ordered.insert(key, key)));
        assert!((1..=10_000).filter(|key| key % 100 != 0).all(|key| ordered.remove(key).is_some()));
        let room: usize = ordered.chunks.iter().map(|chunk| chunk.items.capacity()).sum();
        assert!(room <= 10_000 / 10, "{room} places for {} items", ordered.len());
    }
}
