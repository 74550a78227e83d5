//! Checks of our messages, and of the fake that our channels are tested against, by code that others
//! wrote: the vendors' own clients, models, types and descriptions, and an emulator of Slack.
//!
//! What they need is installed once into a cache, by `install`; afterwards nothing is fetched. Each check
//! of messages first shows that it notices what is wrong.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can not go on has failed, and says where")]

mod clients;
mod emulator;
mod messages;
mod own_fake;
mod sending;
mod toolbox;
