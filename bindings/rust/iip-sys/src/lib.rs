//! Raw declarations of `<iip/iip.h>`, the stable C interface of libiip. The header is the documentation; the crate `iip`
//! is what programs use.
//!
//! `bindings.rs` and `layout.rs` are generated (`bindings/rust/tools/generate`) and committed, so nobody needs libclang
//! to build this crate.
#![no_std]

use core::ffi::CStr;

#[allow(missing_docs, non_camel_case_types, non_upper_case_globals, non_snake_case, clippy::all)]
mod bindings;
mod layout;

pub use bindings::*;

/// A field of a structure as this crate sees it, or with `field == None` the structure itself.
pub struct Layout {
    /// `"iip_event"`.
    pub name: &'static str,
    /// `"user"`; `None`: the row tells the size of the whole structure.
    pub field: Option<&'static str>,
    /// Bytes from the beginning of the structure.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// All fields of all structures, as this crate was compiled.
pub fn layout() -> &'static [Layout] {
    layout::ROWS
}

/// The first row of [`layout`] with which the library that is loaded does not agree. `None`: they fit together.
///
/// A structure of the library may be longer than ours (it grows at its end); everything else is exact.
pub fn layout_mismatch() -> Option<&'static Layout> {
    layout::ROWS.iter().find(|row| !agrees(row))
}

fn agrees(row: &Layout) -> bool {
    let mut found = iip_layout { type_: core::ptr::null(), field: core::ptr::null(), offset: 0, size: 0 };
    let mut i = 0;
    // SAFETY: `found` is a valid place to write to, for the whole call.
    while unsafe { iip_layout_get(i, &mut found) } >= 0 {
        i += 1;
        if !same_text(found.type_, Some(row.name)) || !same_text(found.field, row.field) {
            continue;
        }
        return match row.field {
            Some(_) => found.offset as usize == row.offset && found.size as usize == row.size,
            None => found.size as usize >= row.size,
        };
    }
    false
}

fn same_text(theirs: *const core::ffi::c_char, ours: Option<&str>) -> bool {
    match ours {
        None => theirs.is_null(),
        // SAFETY: the library's table holds terminated strings that live as long as the process.
        Some(text) => !theirs.is_null() && unsafe { CStr::from_ptr(theirs) }.to_bytes() == text.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_agrees_with_all_rows() {
        assert!(layout().len() > 100);
        if let Some(row) = layout_mismatch() {
            panic!("{}.{}", row.name, row.field.unwrap_or("(size)"));
        }
    }

    #[test]
    fn a_row_that_is_wrong_is_seen() {
        let wrong = Layout { name: "iip_event", field: Some("user"), offset: 12, size: 8 };
        assert!(!agrees(&wrong));
        assert!(!agrees(&Layout { name: "iip_event", field: Some("nothing"), offset: 0, size: 8 }));
        assert!(!agrees(&Layout { name: "iip_event", field: None, offset: 0, size: 72 }));
    }
}
