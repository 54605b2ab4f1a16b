//! Waking readers once for many messages.
//!
//! A publisher's frames are read in strides. Without this, the first message of a stride wakes a
//! subscriber's task, another core takes it and writes that one message while the rest is still
//! being fanned out: a system call for each message, where one would do for all of them.

use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    sync::Arc,
};

use crate::sync::AtomicWaker;

/// Somebody who can be woken.
pub(super) trait Reader: Send + Sync + 'static {
    fn waker(&self) -> &AtomicWaker;
}

/// Messages that are pushed before everybody is woken anyway: less than a tenth of a millisecond's
/// work, so that a long stride to many subscribers keeps no core idle.
const MESSAGES: u32 = 1_024;
/// Readers likewise; also bounds what a thread keeps.
const READERS: usize = 256;

thread_local! {
    /// How many [`Together`] are alive on this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static PUSHED: Cell<u32> = const { Cell::new(0) };
    static ASLEEP: RefCell<Vec<Arc<dyn Reader>>> = const { RefCell::new(Vec::new()) };
}

/// While this lives, readers are woken late; when it goes, all of them are. It stays on its
/// thread, so it cannot be held across an await of a task that may move.
#[must_use = "readers are woken together for as long as this lives"]
pub(crate) struct Together(PhantomData<*const ()>);

/// Begins to hold wake-ups back on this thread.
pub(crate) fn together() -> Together {
    DEPTH.set(DEPTH.get() + 1);
    Together(PhantomData)
}

impl Drop for Together {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if DEPTH.get() == 0 {
            wake_all();
        }
    }
}

/// Says that a message has been pushed. `first`: the reader does not know of any yet.
pub(super) fn pushed<R: Reader>(reader: &Arc<R>, first: bool) {
    if DEPTH.get() == 0 {
        if first {
            reader.waker().wake();
        }
        return;
    }
    PUSHED.set(PUSHED.get() + 1);
    let readers = if first {
        ASLEEP.with_borrow_mut(|asleep| {
            asleep.push(reader.clone());
            asleep.len()
        })
    } else {
        0
    };
    if readers >= READERS || PUSHED.get() >= MESSAGES {
        wake_all();
    }
}

fn wake_all() {
    PUSHED.set(0);
    // Waking may run code of a foreign executor, which may push in its turn.
    let mut asleep = ASLEEP.take();
    for reader in asleep.drain(..) {
        reader.waker().wake();
    }
    ASLEEP.with_borrow_mut(|kept| {
        if kept.capacity() == 0 {
            *kept = asleep; // its memory serves the next stride
        }
    });
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Sleeper {
        waker: AtomicWaker,
    }

    impl Reader for Sleeper {
        fn waker(&self) -> &AtomicWaker {
            &self.waker
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sleeper(count: &Arc<Count>) -> Arc<Sleeper> {
        let sleeper = Arc::new(Sleeper::default());
        sleeper.waker.register(&Waker::from(count.clone()));
        sleeper
    }

    #[test]
    fn readers_are_woken_when_the_last_scope_ends() {
        let count = Arc::new(Count::default());
        let (one, other) = (sleeper(&count), sleeper(&count));
        let outer = together();
        let inner = together();
        pushed(&one, true);
        pushed(&one, false);
        drop(inner);
        pushed(&other, true);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        drop(outer);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        one.waker.register(&Waker::from(count.clone()));
        pushed(&one, true);
        assert_eq!(count.0.load(Ordering::Relaxed), 3, "without a scope at once");
    }

    #[test]
    fn a_long_stride_does_not_keep_them_asleep() {
        let count = Arc::new(Count::default());
        let one = sleeper(&count);
        let scope = together();
        pushed(&one, true);
        (1..MESSAGES).for_each(|_| pushed(&one, false));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(scope);
        let many: Vec<_> = (0..READERS).map(|_| sleeper(&count)).collect();
        let scope = together();
        many.iter().for_each(|reader| pushed(reader, true));
        assert_eq!(count.0.load(Ordering::Relaxed), 1 + READERS);
        drop(scope);
    }
}
