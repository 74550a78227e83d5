//! What the journal promises while the store hangs, refuses or is overtaken, in stepped time.

#![expect(clippy::disallowed_methods, reason = "a test waits for what it spawns")]

mod answers;
mod bodies;
mod clocks;
mod ends;
mod hangs;
mod refuses;
mod reports;
mod saves;
mod scene;
mod starts;
