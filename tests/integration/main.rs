//! Behaviour across rooms, against the real parts: Prometheus, Alertmanager, SQLite, the binary.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can not go on has failed, and says where")]

mod architecture;
mod command_line;
mod crash;
mod documents;
mod flag_faults;
mod real_chain;
mod store_outage;
mod supervision;
mod support;
mod webhook_contract;
