//! What the journal promises while the store hangs, refuses or is overtaken, in stepped time.

mod hangs;
mod refuses;
mod scene;
