//! The rules of who owns what are the compiler's: each of these programs breaks one, and does not compile.

#[test]
fn what_must_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
