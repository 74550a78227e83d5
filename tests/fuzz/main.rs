//! What strangers send: random bytes, and real bodies that were edited. `cargo test` runs each
//! target for a bounded number of inputs; a failing one prints its seed, and
//! `BOLERO_RANDOM_SEED=… cargo test --test fuzz NAME` replays it.
//!
//! Guided by coverage, for as long as one likes (`cargo install cargo-bolero`, needs a C++ compiler):
//! `cargo bolero test payload::edited_trees_break_nothing --engine libfuzzer --sanitizer NONE
//!  --rustc-bootstrap -T 5m`

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can not go on has failed, and says where")]

mod edit;
mod expressions;
mod payload;
mod properties;

/// The captured bodies, small ones only: each is read and edited thousands of times.
fn captured() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    assert!(paths.len() >= 8, "the captured bodies are there");
    paths.iter().map(|path| std::fs::read(path).expect("read")).collect()
}
