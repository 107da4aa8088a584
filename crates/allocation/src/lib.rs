//! For tests of the hot path: an allocator that counts what each thread takes.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: allocation::Counting = allocation::Counting;
//!
//! let before = allocation::taken();
//! let boxed = Box::new(7);
//! assert_eq!(allocation::taken() - before, 1, "{boxed}");
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Apart for each thread: the one that drives the tests takes memory when it likes.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// How often the calling thread has taken memory since it began.
pub fn taken() -> u64 {
    TAKEN.get()
}

/// The system's allocator, counting.
pub struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged; only a number is counted beside
// it, in a cell that needs neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
