//! Builds libiip from its four files in `vendor` and links it statically, or, where `IIP_NO_VENDOR` is set, finds the
//! system's by pkg-config. It is a variable and not a feature, since features add up and whoever builds must have the last
//! word.

fn main() {
    println!("cargo:rerun-if-env-changed=IIP_NO_VENDOR");
    if std::env::var_os("DOCS_RS").is_some() || std::env::var_os("CARGO_CFG_MIRI").is_some() {
        return; // documentation and Miri link nothing
    }
    if std::env::var_os("IIP_NO_VENDOR").is_some() {
        system();
    } else {
        vendored();
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

/// As CMake builds it: with optimization whatever the profile, and thread-local storage that needs no call.
fn vendored() {
    println!("cargo:rerun-if-changed=vendor");
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    cc::Build::new()
        .files(["vendor/iip_core.c", "vendor/iip_lib.c"])
        .std("gnu11")
        .opt_level(3)
        .flag("-fvisibility=hidden")
        .flag("-ftls-model=initial-exec")
        .compile("iip");
    println!("cargo:include={here}/vendor");
}
