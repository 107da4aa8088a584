//! The library's table of functions: its first version, whose order later ones keep.

use std::ffi::{c_char, c_int, c_void};

/// Something of the library's.
pub type Handle = *mut c_void;
/// Nothing, or why not.
pub type Status = *mut c_void;
type Unused = *const c_void;

/// Kinds of values.
pub const TENSOR: c_int = 1;
/// A list, here of maps.
pub const SEQUENCE: c_int = 2;
/// Classes with probabilities.
pub const MAP: c_int = 3;
/// The element type of 32-bit floats.
pub const FLOAT: c_int = 1;

/// Makes one thing of another.
pub type Make = unsafe extern "C" fn(Handle, *mut Handle) -> Status;
/// Lets go of something.
pub type Release = unsafe extern "C" fn(Handle);
/// How many there are.
pub type Count = unsafe extern "C" fn(Handle, *mut usize) -> Status;
/// One of them.
pub type At = unsafe extern "C" fn(Handle, usize, *mut Handle) -> Status;
/// What kind something is.
pub type Kind = unsafe extern "C" fn(Handle, *mut c_int) -> Status;
/// Sets a number.
pub type Set = unsafe extern "C" fn(Handle, c_int) -> Status;
/// A name, in memory of the allocator.
pub type Name = unsafe extern "C" fn(Handle, usize, Handle, *mut *mut c_char) -> Status;

/// What the library offers.
#[repr(C)]
pub struct Base {
    pub functions: unsafe extern "C" fn(u32) -> *const Table,
    pub version: unsafe extern "C" fn() -> *const c_char,
}

/// The functions, by their place; `_n` stands for those that are not used here.
#[repr(C)]
pub struct Table {
    _0: [Unused; 2],
    pub error_message: unsafe extern "C" fn(Status) -> *const c_char,
    pub create_env: unsafe extern "C" fn(c_int, *const c_char, *mut Handle) -> Status,
    _4: [Unused; 4],
    pub create_session:
        unsafe extern "C" fn(Handle, *const c_void, usize, Handle, *mut Handle) -> Status,
    pub run: unsafe extern "C" fn(
        Handle,
        *const c_void,
        *const *const c_char,
        *const *const c_void,
        usize,
        *const *const c_char,
        usize,
        *mut Handle,
    ) -> Status,
    pub create_options: unsafe extern "C" fn(*mut Handle) -> Status,
    _11: [Unused; 11],
    pub set_severity: Set,
    _23: Unused,
    pub set_threads_within: Set,
    pub set_threads_between: Set,
    _26: [Unused; 4],
    pub input_count: Count,
    pub output_count: Count,
    _32: Unused,
    pub input_type: At,
    pub output_type: At,
    _35: Unused,
    pub input_name: Name,
    pub output_name: Name,
    _38: [Unused; 11],
    pub tensor_over: unsafe extern "C" fn(
        Handle,
        *mut c_void,
        usize,
        *const i64,
        usize,
        c_int,
        *mut Handle,
    ) -> Status,
    _50: Unused,
    pub tensor_data: Make,
    _52: [Unused; 3],
    pub as_tensor_type: Make,
    pub kind_of_type: Kind,
    _57: [Unused; 3],
    pub element: Kind,
    pub dims_count: Count,
    pub dims: unsafe extern "C" fn(Handle, *mut i64, usize) -> Status,
    _63: Unused,
    pub elements: Count,
    pub shape: Make,
    _66: Unused,
    pub kind_of_value: Kind,
    _68: Unused,
    pub cpu_memory: unsafe extern "C" fn(c_int, c_int, *mut Handle) -> Status,
    _70: [Unused; 6],
    pub free: unsafe extern "C" fn(Handle, *mut c_void) -> Status,
    _77: Unused,
    pub allocator: unsafe extern "C" fn(*mut Handle) -> Status,
    _79: Unused,
    pub part: unsafe extern "C" fn(Handle, c_int, Handle, *mut Handle) -> Status,
    _81: [Unused; 12],
    pub release_status: Release,
    pub release_memory: Release,
    pub release_session: Release,
    pub release_value: Release,
    _97: Unused,
    pub release_type: Release,
    pub release_shape: Release,
    pub release_options: Release,
}

const _: () = assert!(core::mem::size_of::<Table>() == 101 * core::mem::size_of::<usize>());
