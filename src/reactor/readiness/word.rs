//! The word's layout, behind verbs; see the table in [`super`].

use crate::primitive::mutated;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Free = 0,
    Busy = 1,
    Owned = 2,
    Shared = 3,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) const READY: u64 = 1;
    pub(super) const HUNG_UP: u64 = 1 << 1;
    pub(super) const WARY: u64 = 1 << 2;
    pub(super) const SHUT_DOWN: u64 = 1 << 3;
    pub(super) const MORE: u64 = 1 << 4;
    const SLOT_SHIFT: u32 = 5;
    pub(super) const SLOT: u64 = 0b11 << Self::SLOT_SHIFT;
    /// At 57 bits it would take an event per nanosecond four years to wrap.
    const TICK_ONE: u64 = 1 << 7;

    pub(super) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub(super) fn tick(self) -> u64 {
        self.0 / Self::TICK_ONE
    }

    pub(super) fn slot(self) -> Slot {
        match (self.0 & Self::SLOT) >> Self::SLOT_SHIFT {
            0 => Slot::Free,
            1 => Slot::Busy,
            2 => Slot::Owned,
            _ => Slot::Shared,
        }
    }

    pub(super) fn with_slot(self, slot: Slot) -> Word {
        Word(self.0 & !Self::SLOT | (slot as u64) << Self::SLOT_SHIFT)
    }

    pub(super) fn slot_is_full(self) -> bool {
        matches!(self.slot(), Slot::Owned | Slot::Shared)
    }

    /// The word that `event` makes of this one; a full slot becomes the event's to empty.
    pub(super) fn after(self, event: Event) -> Word {
        let tick = if mutated!("readiness.event_keeps_tick") {
            0
        } else {
            Self::TICK_ONE
        };
        let next = Word((self.0.wrapping_add(tick) | event.0 | Self::READY) & !Self::MORE);
        if self.slot_is_full() {
            next.with_slot(Slot::Busy)
        } else {
            next
        }
    }
}

/// What the selector said about one direction, beyond "ready".
#[derive(Clone, Copy)]
pub struct Event(pub(super) u64);

impl Event {
    /// The direction is ready.
    pub const READY: Event = Event(0);

    /// The peer closed this direction.
    pub fn and_hung_up(self, yes: bool) -> Event {
        Event(self.0 | if yes { Word::HUNG_UP } else { 0 })
    }

    /// There is urgent data, at which reads stop short, or an error to be fetched.
    pub fn and_wary(self, yes: bool) -> Event {
        Event(self.0 | if yes { Word::WARY } else { 0 })
    }
}

/// The readiness somebody looked at, to be handed back with what the system call then said.
#[derive(Clone, Copy)]
pub struct Seen(pub(super) Word);

impl Seen {
    /// The system call is worth a try.
    #[inline]
    pub fn is_ready(self) -> bool {
        self.0.has(Word::READY)
    }

    /// No event has come yet: ready by assumption only.
    pub fn is_guess(self) -> bool {
        self.0.tick() == 0
    }

    /// The peer closed this direction.
    pub fn is_hung_up(self) -> bool {
        self.0.has(Word::HUNG_UP)
    }

    /// The runtime is gone.
    #[inline]
    pub fn is_shut_down(self) -> bool {
        self.0.has(Word::SHUT_DOWN)
    }
}
