//! What threads meet at, under one name, so that the outbound queue and the subscription index can
//! also be compiled over a scheduler that tries interleavings (`tests/interleavings`).

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use futures::task::AtomicWaker;
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
