//! Builds libiip of the checkout by CMake and links it statically, or, where `IIP_NO_VENDOR` is set, finds the system's by
//! pkg-config. It is a variable and not a feature, since features add up and whoever builds must have the last word.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=IIP_NO_VENDOR");
    println!("cargo:rerun-if-env-changed=IIP_SOURCE");
    if std::env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    if std::env::var_os("IIP_NO_VENDOR").is_some() {
        system();
    } else {
        vendored(&source());
    }
}

fn system() {
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let wanted = format!("{major}.{minor}");
    let next = format!("{major}.{}", minor.parse::<u32>().expect("cargo's number") + 1);
    let found = pkg_config::Config::new().range_version(wanted.as_str()..next.as_str()).probe("iip");
    if let Err(e) = found {
        panic!(
            "libiip {wanted} was not found by pkg-config: {e}\ninstall it (cmake --install), or unset IIP_NO_VENDOR"
        );
    }
}

/// The root of the checkout: `IIP_SOURCE`, or where this crate lies in it.
fn source() -> PathBuf {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = std::env::var_os("IIP_SOURCE").map_or_else(|| here.join("../../.."), PathBuf::from);
    if !root.join("c/sdk/include/iip/iip.h").exists() {
        panic!(
            "{}: no checkout of iip; set IIP_SOURCE to one, or IIP_NO_VENDOR=1 to link the system's",
            root.display()
        );
    }
    root
}

fn vendored(root: &Path) {
    for part in ["CMakeLists.txt", "c/CMakeLists.txt", "c/core", "c/io", "c/sdk", "c/tools"] {
        println!("cargo:rerun-if-changed={}", root.join(part).display());
    }
    let out = cmake::Config::new(root)
        .define("IIP_TESTS", "OFF")
        .define("IIP_EXAMPLES", "OFF")
        .profile("Release")
        .build_target("iip_static")
        .build();
    println!("cargo:rustc-link-search=native={}", out.join("build/c/sdk").display());
    println!("cargo:rustc-link-lib=static=iip");
    println!("cargo:include={}", root.join("c/sdk/include").display());
}
