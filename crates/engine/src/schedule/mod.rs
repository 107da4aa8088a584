//! A large or conditional order and time in; what of it should be sent now out. A shelf.
//!
//! A *parent* is an order that the core keeps itself and works off by *children*, ordinary orders
//! that pass every check. One machine serves them all: how much may be out now (its style says),
//! less what is filled and what works, is sent; a child is replaced only when its end is proven, so
//! that nothing can double. Parents are part of the state: they survive a restart, and what became
//! of their children meanwhile is asked before anything is sent.

mod pace;
mod parent;
mod stop;
mod work;

pub use pace::{CURVE_MAX, Curve, Window};
pub use parent::{
    EndReason, PARENT_TRANSITIONS, PARENTS_CLOSED_KEPT, PARENTS_OPEN_MAX, Parent, ParentSpec,
    ParentState, Parents, Style, TriggerOn,
};
