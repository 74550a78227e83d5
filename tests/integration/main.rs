//! Behaviour across rooms, against the real parts: Prometheus, Alertmanager, SQLite, the binary.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can not go on has failed, and says where")]

mod alertmanagers;
mod architecture;
mod basic_auth;
mod broken_database;
mod canary_requests;
mod channels;
mod clocks;
mod command_line;
mod crash;
mod crash_points;
mod doctor;
mod documents;
mod flag_faults;
mod flag_table;
mod full_disk;
mod generated_rules;
mod grace_ends;
mod healthz;
mod hostile_clients;
mod incident_commands;
mod late_bodies;
mod listener_limits;
mod load;
mod logs;
mod manual_rollbacks;
mod odd_alerts;
mod pagerduty_webhook;
mod people;
mod real_chain;
mod reconciliation;
mod relabelling;
mod reports;
mod secrets;
mod secured_flags;
mod secured_monitoring;
mod standalone;
mod store_outage;
mod supervision;
mod support;
mod tampering;
mod tls;
mod webhook_contract;
mod who_asks;
mod wrong_server;
