//! A library that ci/forms has its subject load: calls back what it is given. No target of cargo's.

use std::ffi::c_void;
use std::hint::black_box;

#[unsafe(no_mangle)]
pub extern "C" fn plugin_call(callback: extern "C" fn(*mut c_void), data: *mut c_void) {
    deep(callback, data);
    black_box(1);
}

#[inline(never)]
fn deep(callback: extern "C" fn(*mut c_void), data: *mut c_void) {
    callback(data); // LINE plugin
    black_box(2);
}
