//! The values a channel holds: a ring that comes and goes, and what came back.
//!
//! A hundred thousand idle channels must not each keep a ring of their capacity. The ring starts
//! with a handful of slots, doubles as it fills, and is given back as soon as it is drained. Only
//! a ring that never grew beyond the first handful is kept, so that a channel whose receiver keeps
//! up does not allocate for each value.
//!
//! A value that was handed to a receiver which was then dropped comes back in front of the ring,
//! and among its like to the place it had: it carries the number of the hand-over it was part of.

use std::collections::VecDeque;
use std::mem::size_of;

#[derive(Debug)]
pub(super) struct Buffer<T> {
    ring: VecDeque<T>,
    /// What came back, with the number of its hand-over; the earliest is last.
    returned: Vec<(u32, T)>,
}

impl<T> Buffer<T> {
    /// How many slots the first ring has, and how many are kept when it is drained: 256 bytes of
    /// them, 16 at most and one at least.
    const FIRST: usize = match size_of::<T>() {
        0 => usize::MAX,
        size if size >= 256 => 1,
        size if size <= 16 => 16,
        size => 256 / size,
    };

    pub(super) fn new() -> Buffer<T> {
        Buffer {
            ring: VecDeque::new(),
            returned: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        // Cannot overflow: `returned` never holds more than the waiters there were.
        self.ring.len() + self.returned.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty() && self.returned.is_empty()
    }

    /// Adds a value at the end. `limit`, the channel's capacity, bounds the first ring.
    #[inline]
    pub(super) fn push(&mut self, value: T, limit: usize) {
        if self.ring.capacity() == 0 {
            self.ring.reserve_exact(Self::FIRST.min(limit).max(1));
        }
        self.ring.push_back(value);
    }

    /// Takes the first value, and the number of its hand-over if it was handed over before.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Option<u32>, T)> {
        if !self.returned.is_empty() {
            return self
                .returned
                .pop()
                .map(|(number, value)| (Some(number), value));
        }
        self.ring.pop_front().map(|value| (None, value))
    }

    /// Gives the memory of a drained buffer back. Nothing of the user's is dropped here.
    #[inline]
    pub(super) fn trim(&mut self) {
        if self.ring.is_empty() && self.ring.capacity() > Self::FIRST {
            self.ring = VecDeque::new();
        }
        if self.returned.is_empty() && self.returned.capacity() > 0 {
            self.returned = Vec::new();
        }
    }

    /// Puts a value that was handed over as the `number`th back in front.
    #[cold]
    pub(super) fn put_back(&mut self, number: u32, value: T) {
        // Numbers wrap; those that are out at the same time are close together.
        let later = |other: u32| other.wrapping_sub(number) as i32 > 0;
        let place = self.returned.partition_point(|&(other, _)| later(other));
        self.returned.insert(place, (number, value));
    }

    /// All values, in their order.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        let returned = self.returned.into_iter().rev();
        returned.map(|(_, value)| value).chain(self.ring)
    }
}

#[cfg(all(test, not(gorust_loom)))]
mod tests {
    use super::*;

    fn pop(buffer: &mut Buffer<u64>) -> Option<u64> {
        buffer.pop().map(|(_, value)| value)
    }

    #[test]
    fn values_come_out_in_order() {
        let mut buffer = Buffer::new();
        for value in 0..100 {
            buffer.push(value, usize::MAX);
        }
        assert_eq!(buffer.len(), 100);
        for value in 0..100 {
            assert_eq!(pop(&mut buffer), Some(value));
        }
        assert!(buffer.is_empty() && pop(&mut buffer).is_none());
    }

    #[test]
    fn a_drained_buffer_gives_back_what_it_grew() {
        let mut buffer = Buffer::<u64>::new();
        assert_eq!(buffer.ring.capacity(), 0);
        for value in 0..1024 {
            buffer.push(value, 1024);
        }
        while pop(&mut buffer).is_some() {
            buffer.trim();
        }
        assert_eq!(buffer.ring.capacity(), 0);
    }

    #[test]
    fn a_small_ring_is_kept() {
        let mut buffer = Buffer::<u64>::new();
        buffer.push(1, 1024);
        assert_eq!(pop(&mut buffer), Some(1));
        buffer.trim();
        assert_eq!(buffer.ring.capacity(), 16);
    }

    #[test]
    fn a_small_channel_gets_a_small_ring() {
        let mut buffer = Buffer::<u64>::new();
        buffer.push(1, 1);
        assert_eq!(buffer.ring.capacity(), 1);
        let mut large = Buffer::<[u8; 1000]>::new();
        large.push([0; 1000], 1024);
        assert_eq!(large.ring.capacity(), 1);
        let mut nothing = Buffer::<()>::new();
        nothing.push((), usize::MAX);
        assert_eq!(nothing.len(), 1);
    }

    #[test]
    fn what_comes_back_finds_its_place() {
        for (first, second, third) in [(1, 2, 3), (1, 3, 2), (2, 1, 3), (3, 2, 1), (3, 1, 2)] {
            // From before the wrap to after it.
            let base = u32::MAX - 1;
            let mut buffer = Buffer::new();
            buffer.push(4, usize::MAX);
            for number in [first, second, third] {
                buffer.put_back(base.wrapping_add(number), u64::from(number));
            }
            let numbers: Vec<_> = (0..4).map(|_| buffer.pop().unwrap()).collect();
            assert_eq!(numbers[0], (Some(base.wrapping_add(1)), 1));
            assert_eq!(numbers[3], (None, 4));
            let values: Vec<_> = numbers.iter().map(|&(_, value)| value).collect();
            assert_eq!(values, [1, 2, 3, 4]);
            buffer.trim();
            assert_eq!(buffer.returned.capacity(), 0);
        }
    }

    #[test]
    fn leftovers_come_in_order() {
        let mut buffer = Buffer::new();
        buffer.push(3, usize::MAX);
        buffer.put_back(2, 2);
        buffer.put_back(1, 1);
        assert_eq!(buffer.into_values().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
