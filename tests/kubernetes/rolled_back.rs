//! What an alert to `backstop serve` leads to, wherever the protocol stands and whatever comes between.

mod killed;
mod last_stage;
mod matrix;
mod undone;
