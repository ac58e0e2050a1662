//! What both ends can say about their channel.

use std::fmt;

use super::core::Core;
use super::{Receiver, Sender};

/// Either end of a channel of `T`: [`Sender`] or [`Receiver`].
pub trait End<T>: sealed::Sealed<T> {}

impl<T> End<T> for Sender<T> {}
impl<T> End<T> for Receiver<T> {}

pub(super) mod sealed {
    use super::{Core, Receiver, Sender};

    /// Keeps [`End`](super::End) to this crate.
    pub trait Sealed<T> {
        #[doc(hidden)]
        #[allow(private_interfaces)] // unnameable outside
        fn core(&self) -> &Core<T>;
    }

    impl<T> Sealed<T> for Sender<T> {
        #[allow(private_interfaces)]
        fn core(&self) -> &Core<T> {
            &self.core
        }
    }

    impl<T> Sealed<T> for Receiver<T> {
        #[allow(private_interfaces)]
        fn core(&self) -> &Core<T> {
            &self.core
        }
    }
}

impl<T> Core<T> {
    /// The `Debug` output of whatever belongs to the channel.
    pub(super) fn describe(&self, out: &mut fmt::DebugStruct<'_, '_>) -> fmt::Result {
        out.field("capacity", &self.capacity())
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The same questions for both ends.
macro_rules! observers {
    ($end:ident) => {
        impl<T> $end<T> {
            /// How many values the channel holds: sent, and not yet received or handed to a
            /// receiver that waits.
            pub fn len(&self) -> usize {
                self.core.len()
            }

            /// Whether the channel holds no value.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the buffer has no room. Always so on a rendezvous, never on an unbounded
            /// channel.
            pub fn is_full(&self) -> bool {
                self.core.is_full()
            }

            /// How many values are buffered before senders wait; `None` if the channel is
            /// unbounded.
            #[doc(alias = "cap")]
            pub fn capacity(&self) -> Option<usize> {
                self.core.capacity()
            }

            /// Whether the channel was closed, or lost all its senders or all its receivers. There
            /// may be values left to receive.
            pub fn is_closed(&self) -> bool {
                self.core.is_closed()
            }

            /// How many senders there are.
            pub fn sender_count(&self) -> usize {
                self.core.senders.load(Ordering::Relaxed)
            }

            /// How many receivers there are.
            pub fn receiver_count(&self) -> usize {
                self.core.receivers.load(Ordering::Relaxed)
            }

            /// Whether the other, a sender or a receiver, is an end of the same channel.
            ///
            /// # Examples
            /// ```
            /// let (tx, rx) = gorust::chan::<u32>(1);
            /// let (_tx, other) = gorust::chan::<u32>(1);
            /// assert!(tx.same_channel(&tx.clone()) && tx.same_channel(&rx));
            /// assert!(!rx.same_channel(&other));
            /// ```
            pub fn same_channel(&self, other: &impl $crate::chan::End<T>) -> bool {
                std::ptr::eq::<Core<T>>(&*self.core, other.core())
            }
        }
    };
}
pub(super) use observers;
