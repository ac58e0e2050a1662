//! The wheel against a sorted map.

use std::collections::BTreeMap;
use std::pin::Pin;

use super::*;

/// A small seeded generator (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    /// As likely short as long: a random number of random bits.
    fn span(&mut self, bits: u64) -> u64 {
        let bits = self.below(bits + 1);
        self.next() & ((1 << bits) - 1)
    }
}

/// The wheel and its reference, kept in step.
struct Pair {
    wheel: Wheel,
    now: u64,
    /// By deadline and order of insertion.
    reference: BTreeMap<(u64, u64), Pin<Box<Node>>>,
    inserted: u64,
    /// Whether `next_deadline` must be exact: nothing was cancelled, nothing was out of range.
    exact: bool,
}

fn pointer(node: &Pin<Box<Node>>) -> NonNull<Node> {
    NonNull::from(&**node)
}

impl Pair {
    fn new(now: u64) -> Pair {
        Pair {
            wheel: Wheel::new(now),
            now,
            reference: BTreeMap::new(),
            inserted: 0,
            exact: true,
        }
    }

    fn insert(&mut self, deadline: u64) {
        let node = Box::pin(Node::new());
        // SAFETY: the node is new, and the reference keeps it until the wheel lets go of it.
        let linked = unsafe {
            node.set_deadline(deadline);
            self.wheel.insert(pointer(&node))
        };
        assert_eq!(linked, deadline > self.now);
        if linked {
            if deadline != NEVER && deadline - self.now >= 63 << 30 {
                self.exact = false;
            }
            self.reference.insert((deadline, self.inserted), node);
            self.inserted += 1;
        }
    }

    fn cancel(&mut self, index: usize) {
        let key = *self.reference.keys().nth(index).unwrap();
        let node = self.reference.remove(&key).unwrap();
        // SAFETY: what is in the reference is linked.
        unsafe { self.wheel.remove(pointer(&node)) };
        self.exact = false;
    }

    fn earliest(&self) -> u64 {
        self.reference
            .first_key_value()
            .map_or(NEVER, |(key, _)| key.0)
    }

    fn check_next(&self) {
        let (next, earliest) = (self.wheel.next_deadline(), self.earliest());
        assert!(next <= earliest, "{next} hides {earliest}");
        assert!(next > self.now, "{next} is in the past of {}", self.now);
        assert_eq!(next == NEVER, earliest == NEVER);
        if self.exact {
            assert_eq!(next, earliest);
        }
    }

    /// Advances both; answers how many fired.
    fn advance(&mut self, now: u64) -> usize {
        let mut fired = Vec::new();
        self.wheel.advance(now, |node| fired.push(node));
        self.now = self.now.max(now);
        let later = self.reference.split_off(&(self.now + 1, 0));
        let due = std::mem::replace(&mut self.reference, later);
        assert_eq!(fired.len(), due.len(), "at {}", self.now);
        if self.exact {
            let due: Vec<_> = due.values().map(pointer).collect();
            assert_eq!(fired, due, "order at {}", self.now);
        } else {
            let deadline = |node: &NonNull<Node>| {
                // SAFETY: `due` still keeps the nodes.
                unsafe { read(node.as_ptr(), |links| links.deadline) }
            };
            assert!(fired.iter().map(deadline).is_sorted());
            fired.sort();
            let mut due: Vec<_> = due.values().map(pointer).collect();
            due.sort();
            assert_eq!(fired, due);
        }
        fired.len()
    }
}

/// Starting points: zero, and just before the digit of each level wraps, and many of them at once.
fn starts() -> Vec<u64> {
    let mut starts = vec![0, 1, 63, 64];
    for level in 1..=8 {
        for before in [1, 2, 63, 64, 65, 4_096] {
            let wrap = 1_u64 << (6 * level);
            starts.push(wrap.saturating_sub(before));
            starts.push((wrap * 5).saturating_sub(before));
        }
    }
    starts
}

fn random_run(start: u64, seed: u64, steps: usize, cancels: bool, bits: u64) {
    let mut random = Random(seed | 1);
    let mut pair = Pair::new(start);
    for _ in 0..steps {
        match random.below(8) {
            0..=3 => {
                let deadline = pair.now.saturating_sub(2) + random.span(bits);
                pair.insert(deadline);
                if random.below(4) == 0 {
                    pair.insert(deadline); // equals keep their order
                }
            }
            4 if cancels && !pair.reference.is_empty() => {
                let index = random.below(pair.reference.len() as u64) as usize;
                pair.cancel(index);
            }
            4 => pair.insert(NEVER),
            5 => {
                pair.advance(pair.now + random.span(bits));
            }
            6 => {
                let next = pair.wheel.next_deadline();
                if next != NEVER {
                    assert_eq!(pair.advance(next - 1), 0);
                    pair.check_next();
                    pair.advance(next);
                }
            }
            _ => {
                pair.advance(pair.now.saturating_sub(random.span(10))); // a clock read late
            }
        }
        pair.check_next();
    }
    // Everything left fires by following `next_deadline`, within one step per level and timer.
    let mut patience = pair.reference.len() * LEVELS * (1 << (bits.saturating_sub(36))) + 1;
    while pair.wheel.next_deadline() != NEVER {
        pair.advance(pair.wheel.next_deadline());
        pair.check_next();
        patience -= 1;
        assert!(patience > 0, "does not converge");
    }
}

#[test]
fn agrees_with_a_sorted_map_from_before_every_wrap() {
    for (round, start) in starts().into_iter().enumerate() {
        let seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(round as u64 + 1);
        random_run(start, seed, 300, true, 34);
        random_run(start, seed, 300, true, 14);
        random_run(start, seed, 300, false, 20);
    }
}

#[test]
fn agrees_with_a_sorted_map_beyond_its_range() {
    for (round, start) in starts().into_iter().enumerate() {
        random_run(start, 77 + round as u64, 200, true, 40);
        random_run(start, 7_777 + round as u64, 200, false, 40);
    }
}

#[test]
fn stays_right_over_years_of_uptime() {
    // 2^40 ticks of 65 µs are two years; forty runs of timers up to an hour ahead, each after a
    // leap of weeks.
    let mut random = Random(42);
    let mut pair = Pair::new((1 << 40) - 5);
    for _ in 0..40 {
        for _ in 0..50 {
            pair.insert(pair.now + 1 + random.span(26));
        }
        while pair.wheel.next_deadline() != NEVER {
            pair.advance(pair.wheel.next_deadline());
        }
        pair.advance(pair.now + (1 << 34) + random.span(34));
    }
}

#[test]
fn every_distance_fires_on_its_tick_from_before_every_wrap() {
    for start in starts() {
        for level in 0..=7 {
            for offset in [-1_i64, 0, 1] {
                let distance = ((1_i64 << (6 * level)) + offset) as u64;
                let mut pair = Pair::new(start);
                pair.insert(start.saturating_add(distance));
                while pair.wheel.next_deadline() != NEVER {
                    let next = pair.wheel.next_deadline();
                    assert_eq!(pair.advance(next - 1), 0);
                    pair.advance(next);
                }
                assert!(pair.reference.is_empty());
            }
        }
    }
}

#[test]
fn a_lone_timer_costs_no_needless_wake_up() {
    for start in starts() {
        for bits in 0..36 {
            let mut pair = Pair::new(start);
            pair.insert(start + (1 << bits));
            assert_eq!(pair.wheel.next_deadline(), start + (1 << bits));
            assert_eq!(pair.advance(start + (1 << bits)), 1);
        }
    }
}

#[test]
fn a_deadline_that_has_passed_is_refused() {
    let mut pair = Pair::new(1_000);
    pair.insert(999);
    pair.insert(1_000);
    assert_eq!(pair.wheel.next_deadline(), NEVER);
    pair.insert(1_001);
    assert_eq!(pair.advance(1_001), 1);
}

#[test]
fn cancelling_the_only_timer_leaves_no_deadline() {
    for start in starts() {
        for bits in 0..40 {
            let mut pair = Pair::new(start);
            pair.insert(start + (1 << bits));
            pair.cancel(0);
            assert_eq!(pair.wheel.next_deadline(), NEVER);
        }
    }
}

#[test]
fn cancelling_the_earliest_among_others_costs_one_wake_up() {
    let mut pair = Pair::new(0);
    pair.insert(5_000);
    pair.insert(6_000); // the same slot of level 2
    pair.cancel(0);
    assert_eq!(pair.wheel.next_deadline(), 5_000);
    assert_eq!(pair.advance(5_000), 0);
    assert_eq!(pair.wheel.next_deadline(), 6_000);
    assert_eq!(pair.advance(6_000), 1);
}

#[test]
fn never_is_neither_due_nor_next_but_is_drained() {
    let mut pair = Pair::new(0);
    pair.insert(NEVER);
    pair.insert(10);
    assert_eq!(pair.wheel.next_deadline(), 10);
    assert_eq!(pair.advance(1 << 60), 1);
    assert_eq!(pair.wheel.next_deadline(), NEVER);
    let mut drained = 0;
    pair.wheel.drain(|_| drained += 1);
    assert_eq!(drained, 1);
}

#[test]
fn drain_unlinks_every_level_and_the_wheel_can_go_on() {
    let mut pair = Pair::new(77);
    for bits in 0..50 {
        pair.insert(78 + (1 << bits));
    }
    let mut drained = 0;
    pair.wheel.drain(|_| drained += 1);
    assert_eq!(drained, 50);
    assert_eq!(pair.wheel.next_deadline(), NEVER);
    pair.reference.clear();
    pair.insert(100);
    assert_eq!(pair.advance(100), 1);
}
