//! The README shows the program that its commands run; that it runs is a documentation test.

#[test]
fn the_quick_start_is_the_example() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(include_str!("../examples/first.rs")), "README.md and examples/first.rs differ");
}
