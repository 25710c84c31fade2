//! The file layer itself: SQLite's own, with a [`Disk`] listening in.
//!
//! SQLite allots [`sqlite3_vfs::szOsFile`] bytes for each file and calls the methods that
//! `pMethods` names with a pointer to them. Ours begin with a [`Shim`]; the file of the real layer
//! follows it.

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    mem::size_of,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    ptr,
    sync::{Arc, OnceLock},
};

use rusqlite::ffi::{
    SQLITE_ERROR, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ,
    SQLITE_IOERR_WRITE, SQLITE_OK, SQLITE_OPEN_DELETEONCLOSE, sqlite3_file, sqlite3_filename,
    sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use crate::{Disk, Event, Fault};

const NAME: &CStr = c"adb-faults";

/// What our part of a file's memory holds.
#[repr(C)]
struct Shim {
    base: sqlite3_file,
    /// From `Box::into_raw`; null for files that nobody watches.
    watched: *mut Watched,
}

struct Watched {
    disk: Arc<Disk>,
    name: String,
}

/// The real layer.
struct Real(*mut sqlite3_vfs);
// SAFETY: SQLite's default layer lives as long as the process and may be called by every thread.
unsafe impl Send for Real {}
// SAFETY: as above.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

/// The layer's name for SQLite; makes it known with the first call.
pub fn file_layer() -> &'static CStr {
    REAL.get_or_init(|| {
        // SAFETY: SQLite's default layer is there once it is asked for; it is copied, never
        // changed. The copy is leaked, as SQLite keeps what is registered. The functions that are
        // not replaced find the real layer's `pAppData` in it, and use nothing else of it.
        unsafe {
            let real = sqlite3_vfs_find(ptr::null());
            let mut ours = *real;
            ours.szOsFile += size_of::<Shim>() as c_int;
            ours.zName = NAME.as_ptr();
            ours.pNext = ptr::null_mut();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0);
            Real(real)
        }
    });
    NAME
}

fn real() -> *mut sqlite3_vfs {
    REAL.get().map_or(ptr::null_mut(), |r| r.0)
}

/// # Safety
/// `name` is null or a C string.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Some(Path::new(OsStr::from_bytes(bytes)))
}

/// The real layer's file behind ours.
///
/// # Safety
/// `file` was given out for [`open`].
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: `szOsFile` bytes were allotted, the shim's and then the real file's.
    unsafe { file.byte_add(size_of::<Shim>()) }
}

/// # Safety
/// `file` was opened by [`open`] and is not closed; nobody keeps what this gives beyond the call.
unsafe fn watched<'a>(file: *mut sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: the caller's promise; `watched` is null or ours until `close`.
    unsafe { (*file.cast::<Shim>()).watched.as_ref() }
}

/// Calls a method of the real file.
macro_rules! forward {
    ($method:ident ( $file:expr $(, $arg:expr)* )) => {{
        // SAFETY: the real layer has opened this file, and its methods stay valid until it closes.
        unsafe {
            let file = inner($file);
            match (*(*file).pMethods).$method {
                Some(method) => method(file $(, $arg)*),
                None => SQLITE_ERROR,
            }
        }
    }};
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name or null, and memory of `szOsFile` bytes.
    unsafe {
        let path = path(name).filter(|_| flags & SQLITE_OPEN_DELETEONCLOSE == 0);
        let watched = path.and_then(Disk::of);
        let (real, file_inside) = (real(), inner(file));
        (*file).pMethods = ptr::null();
        (*file_inside).pMethods = ptr::null();
        let Some(real_open) = (*real).xOpen else { return SQLITE_ERROR };
        let mut rc = SQLITE_ERROR;
        let mut attempt = || {
            rc = real_open(real, name, file_inside, flags, out);
            rc == SQLITE_OK
        };
        match &watched {
            Some((disk, name)) => disk.opens(name, attempt),
            None => {
                attempt();
            }
        }
        if rc != SQLITE_OK {
            return rc;
        }
        let watched = watched.map(|(disk, name)| Box::into_raw(Box::new(Watched { disk, name })));
        let base = sqlite3_file { pMethods: &METHODS };
        file.cast::<Shim>().write(Shim { base, watched: watched.unwrap_or(ptr::null_mut()) });
        rc
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite gives a name.
    unsafe {
        let real = real();
        let Some(real_delete) = (*real).xDelete else { return SQLITE_ERROR };
        let Some((disk, file)) = path(name).and_then(Disk::of) else {
            return real_delete(real, name, sync);
        };
        disk.happens(|| {
            // Nothing here needs to outlive a true power failure.
            let rc = real_delete(real, name, 0);
            (rc, (rc == SQLITE_OK).then_some(Event::Deleted(file, sync != 0)))
        })
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Not 3: that would map files into memory, past the reads here.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let rc = forward!(xClose(file));
    // SAFETY: from `Box::into_raw` in `open`, and SQLite closes a file once.
    unsafe {
        let watched = (*file.cast::<Shim>()).watched;
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
    }
    rc
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    n: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file of ours.
    let fault = unsafe { watched(file) }
        .and_then(|w| w.disk.fails(&[Fault::Read, Fault::ShortRead], &w.name));
    match fault {
        Some(Fault::Read) => SQLITE_IOERR_READ,
        Some(_) => {
            let rc = forward!(xRead(file, to, n, offset));
            let half = n as usize / 2;
            // SAFETY: `to` has room for `n` bytes. SQLite wants what was not read as zeros.
            unsafe { to.cast::<u8>().add(half).write_bytes(0, n as usize - half) };
            if rc == SQLITE_OK { SQLITE_IOERR_SHORT_READ } else { rc }
        }
        None => forward!(xRead(file, to, n, offset)),
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: an open file of ours.
    let Some(w) = (unsafe { watched(file) }) else {
        return forward!(xWrite(file, from, n, offset));
    };
    let mut size: sqlite3_int64 = 0;
    let longer = forward!(xFileSize(file, &mut size)) != SQLITE_OK || offset + i64::from(n) > size;
    let faults: &[Fault] = if longer { &[Fault::Full, Fault::Write] } else { &[Fault::Write] };
    let (n, answer) = match w.disk.fails(faults, &w.name) {
        Some(Fault::Full) => return SQLITE_FULL,
        Some(_) => (n / 2, SQLITE_IOERR_WRITE),
        None => (n, SQLITE_OK),
    };
    // SAFETY: `from` holds `n` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), n as usize) };
    w.disk.happens(|| match forward!(xWrite(file, from, n, offset)) {
        SQLITE_OK => {
            let written = Event::Written(w.name.clone(), offset as u64, bytes.into());
            (answer, Some(written))
        }
        rc => (rc, None),
    })
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: an open file of ours.
    match unsafe { watched(file) } {
        None => forward!(xTruncate(file, size)),
        Some(w) => w.disk.happens(|| {
            let rc = forward!(xTruncate(file, size));
            let event = Event::Truncated(w.name.clone(), size as u64);
            (rc, (rc == SQLITE_OK).then_some(event))
        }),
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let Some(w) = (unsafe { watched(file) }) else { return forward!(xSync(file, flags)) };
    // Only the tape counts: a true sync would cost time and show nothing.
    let fails = w.disk.fails(&[Fault::Sync], &w.name).is_some();
    w.disk.happens(|| {
        let name = w.name.clone();
        match fails {
            true => (SQLITE_IOERR_FSYNC, Some(Event::SyncFailed(name))),
            false => (SQLITE_OK, Some(Event::Synced(name))),
        }
    })
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    forward!(xFileSize(file, size))
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    forward!(xLock(file, level))
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    forward!(xUnlock(file, level))
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    forward!(xCheckReservedLock(file, out))
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    forward!(xFileControl(file, op, arg))
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    forward!(xSectorSize(file))
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    forward!(xDeviceCharacteristics(file))
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    forward!(xShmMap(file, page, size, extend, out))
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, at: c_int, n: c_int, how: c_int) -> c_int {
    forward!(xShmLock(file, at, n, how))
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as in `forward`; this method alone answers nothing.
    unsafe {
        let file = inner(file);
        if let Some(barrier) = (*(*file).pMethods).xShmBarrier {
            barrier(file);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    forward!(xShmUnmap(file, delete))
}
