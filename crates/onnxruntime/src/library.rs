//! A path in; the loaded library with its calls, each checked, out.

use crate::table::{At, Base, Count, FLOAT, Handle, Kind, Name, Release, Status, Table};
use crate::{RuntimeError, text};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

/// The version of the table: the first, which every library has.
const TABLE_VERSION: u32 = 1;
/// Log errors alone: they come back as an answer anyway.
const ERRORS: c_int = 3;
/// Memory of the ordinary allocator, of the default kind.
const MEMORY: (c_int, c_int) = (0, 0);

/// The library, loaded for good: what it starts cannot be stopped safely.
#[derive(Debug)]
pub struct Library {
    table: *const Table,
    version: &'static str,
    env: Handle,
    allocator: Handle,
}

// SAFETY: the table never changes, and the library's environment may be used from any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// Something of the library's that is let go of when it is dropped.
#[derive(Debug)]
pub struct Owned(Handle, Release);

impl Owned {
    /// For a call.
    pub fn pointer(&self) -> Handle {
        self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came with this function and is dropped once.
            unsafe { (self.1)(self.0) };
        }
    }
}

/// What goes in or comes out of a model.
pub struct Type {
    /// Tensor, sequence or map.
    pub kind: c_int,
    /// Of a tensor's elements; 0 for others.
    pub element: c_int,
    /// Of a tensor; below 1 where anything fits.
    pub dims: Vec<i64>,
}

impl Library {
    /// Loads a library, once per process.
    pub fn load(path: &Path) -> Result<&'static Library, RuntimeError> {
        static LOADED: Mutex<Option<&'static Library>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = *loaded {
            return Ok(library);
        }
        let library: &'static Library = Box::leak(Box::new(Library::open(path)?));
        *loaded = Some(library);
        Ok(library)
    }

    fn open(path: &Path) -> Result<Library, RuntimeError> {
        let fail =
            |reason: String| RuntimeError::Library { path: path.display().to_string(), reason };
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|e| fail(e.to_string()))?;
        // SAFETY: loading runs the library's own initialisation, which is what is wanted.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: after a failure there is a message.
            return Err(fail(text(unsafe { libc::dlerror() })));
        }
        // SAFETY: the handle is good and the name is text.
        let symbol = unsafe { libc::dlsym(handle, c"OrtGetApiBase".as_ptr()) };
        if symbol.is_null() {
            return Err(fail("it has no OrtGetApiBase".to_owned()));
        }
        // SAFETY: the function of this name has had this type since the first version.
        let base = unsafe {
            core::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const Base>(symbol)()
        };
        // SAFETY: the base is static; the version's text too.
        let (table, version) =
            unsafe { (((*base).functions)(TABLE_VERSION), CStr::from_ptr(((*base).version)())) };
        if table.is_null() {
            return Err(fail(format!("it has no functions of version {TABLE_VERSION}")));
        }
        let version = version.to_str().unwrap_or("unknown");
        let mut made = Library { table, version, env: null_mut(), allocator: null_mut() };
        let table = made.table();
        // SAFETY: the name is text and the place is ours.
        let status = unsafe { (table.create_env)(ERRORS, c"prunella".as_ptr(), &raw mut made.env) };
        made.check(status)?;
        // SAFETY: the place is ours.
        let status = unsafe { (table.allocator)(&raw mut made.allocator) };
        made.check(status)?;
        Ok(made)
    }

    /// The functions.
    pub fn table(&self) -> &'static Table {
        // SAFETY: it was found not to be null, and the library is never unloaded.
        unsafe { &*self.table }
    }

    /// The library's version.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// What a call said.
    pub fn check(&self, status: Status) -> Result<(), RuntimeError> {
        if status.is_null() {
            return Ok(());
        }
        // SAFETY: a status that is not null has a message, and is let go of once.
        let said = text(unsafe { (self.table().error_message)(status) });
        // SAFETY: as above.
        unsafe { (self.table().release_status)(status) };
        Err(RuntimeError::Said(said))
    }

    /// Something with its release.
    pub fn owned(handle: Handle, release: Release) -> Owned {
        Owned(handle, release)
    }

    /// What a call makes, with its release.
    fn make(
        &self,
        release: Release,
        call: impl FnOnce(*mut Handle) -> Status,
    ) -> Result<Owned, RuntimeError> {
        let mut made = null_mut();
        self.check(call(&raw mut made))?;
        Ok(Owned(made, release))
    }

    /// A model, to be run by the calling thread alone.
    pub fn session(&self, onnx: &[u8]) -> Result<Owned, RuntimeError> {
        let table = self.table();
        // SAFETY: here and below, handles are alive and places are ours during the call.
        let options =
            self.make(table.release_options, |made| unsafe { (table.create_options)(made) })?;
        for (set, value) in [
            (table.set_severity, ERRORS),
            (table.set_threads_within, 1),
            (table.set_threads_between, 1),
        ] {
            // SAFETY: as above.
            self.check(unsafe { set(options.pointer(), value) })?;
        }
        let bytes = onnx.as_ptr().cast();
        // SAFETY: as above; the library copies what it keeps of the bytes.
        self.make(table.release_session, |made| unsafe {
            (table.create_session)(self.env, bytes, onnx.len(), options.pointer(), made)
        })
    }

    /// A tensor `[1, length]` over memory of ours, which has to outlive it.
    pub fn tensor(&self, memory: &mut [f32]) -> Result<Owned, RuntimeError> {
        let table = self.table();
        // SAFETY: the place is ours.
        let info = self.make(table.release_memory, |made| unsafe {
            (table.cpu_memory)(MEMORY.0, MEMORY.1, made)
        })?;
        let shape = [1, memory.len() as i64];
        let (data, bytes) = (memory.as_mut_ptr().cast(), core::mem::size_of_val(memory));
        // SAFETY: the memory is as long as the shape says.
        self.make(table.release_value, |made| unsafe {
            (table.tensor_over)(info.pointer(), data, bytes, shape.as_ptr(), 2, FLOAT, made)
        })
    }

    /// How many inputs or outputs.
    pub fn count(&self, of: &Owned, count: Count) -> Result<usize, RuntimeError> {
        let mut found = 0;
        // SAFETY: the handle is alive and the place is ours.
        self.check(unsafe { count(of.pointer(), &raw mut found) })?;
        Ok(found)
    }

    fn number(&self, of: Handle, ask: Kind) -> Result<c_int, RuntimeError> {
        let mut found = 0;
        // SAFETY: the handle is alive and the place is ours.
        self.check(unsafe { ask(of, &raw mut found) })?;
        Ok(found)
    }

    /// Tensor, sequence or map.
    pub fn kind_of_value(&self, value: &Owned) -> Result<c_int, RuntimeError> {
        self.number(value.pointer(), self.table().kind_of_value)
    }

    /// The type of an input or output.
    pub fn kind_of(&self, session: &Owned, at: At, index: usize) -> Result<Type, RuntimeError> {
        let table = self.table();
        // SAFETY: the handle is alive and the place is ours.
        let told =
            self.make(table.release_type, |made| unsafe { at(session.pointer(), index, made) })?;
        let kind = self.number(told.pointer(), table.kind_of_type)?;
        let mut tensor = null_mut();
        // SAFETY: as above; what is found belongs to `told`.
        self.check(unsafe { (table.as_tensor_type)(told.pointer(), &raw mut tensor) })?;
        if tensor.is_null() {
            return Ok(Type { kind, element: 0, dims: Vec::new() });
        }
        let element = self.number(tensor, table.element)?;
        let mut count = 0;
        // SAFETY: as above.
        self.check(unsafe { (table.dims_count)(tensor, &raw mut count) })?;
        let mut dims = vec![0; count];
        // SAFETY: there is room for as many as there are.
        self.check(unsafe { (table.dims)(tensor, dims.as_mut_ptr(), count) })?;
        Ok(Type { kind, element, dims })
    }

    /// The name of an input or output.
    pub fn name(
        &self,
        session: &Owned,
        name: impl FnOnce(&Table) -> Name,
        index: usize,
    ) -> Result<CString, RuntimeError> {
        let mut found: *mut c_char = null_mut();
        let name = name(self.table());
        // SAFETY: the handles are alive and the place is ours.
        self.check(unsafe { name(session.pointer(), index, self.allocator, &raw mut found) })?;
        // SAFETY: the library hands out null-terminated text, which is let go of once.
        let copy = unsafe { CStr::from_ptr(found) }.to_owned();
        // SAFETY: as above.
        self.check(unsafe { (self.table().free)(self.allocator, found.cast()) })?;
        Ok(copy)
    }

    /// A part of a sequence, or the keys (0) or values (1) of a map.
    pub fn part(&self, value: &Owned, index: c_int) -> Result<Owned, RuntimeError> {
        let table = self.table();
        // SAFETY: the handles are alive and the place is ours.
        self.make(table.release_value, |made| unsafe {
            (table.part)(value.pointer(), index, self.allocator, made)
        })
    }

    /// The numbers of a tensor.
    pub fn floats(&self, value: &Owned) -> Result<Vec<f32>, RuntimeError> {
        let table = self.table();
        // SAFETY: the handle is alive and the place is ours.
        let shape =
            self.make(table.release_shape, |made| unsafe { (table.shape)(value.pointer(), made) })?;
        let element = self.number(shape.pointer(), table.element)?;
        if element != FLOAT {
            return Err(RuntimeError::Output(format!("element type {element}")));
        }
        let count = self.count(&shape, table.elements)?;
        let mut data = null_mut();
        // SAFETY: as above.
        self.check(unsafe { (table.tensor_data)(value.pointer(), &raw mut data) })?;
        // SAFETY: a tensor of `count` floats lies there as long as the value lives.
        Ok(unsafe { core::slice::from_raw_parts(data.cast::<f32>(), count) }.to_vec())
    }
}
