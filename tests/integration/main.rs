//! Behaviour across rooms, against the real parts: Prometheus, Alertmanager, SQLite, the binary.

mod architecture;
mod command_line;
mod crash;
mod documents;
mod flag_faults;
mod real_chain;
mod support;
mod webhook_contract;
