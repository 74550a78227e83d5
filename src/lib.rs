//! Backstop, the safety net under a canary deployment.
//!
//! # The flow
//! ```text
//!  Alertmanager ──POST──▶ webhook ──inputs──▶ pipeline::Journal ──one commit──▶ store
//!                                                │  decision::decide (pure)       │
//!  people, command line ──▶ web ──inputs──▶──────┘                               fold
//!                                                                                 │
//!  the world ◀── execution, verification, signals, evidence ◀── pipeline::Worker ◀┘
//!       │                                                             │
//!       └────────────── what was seen: inputs ───────────────▶ pipeline::Journal
//! ```
//! An input (an alert, a person's request, a reading, a result) is decided and stored in one commit;
//! only then is a webhook answered 200, and only then does anybody act. (While the store can't be
//! written, what is decided is held in memory and acted upon; it is not answered 200.) What is to be done is read off
//! the stored state by [`decision::due()`], so a restart resumes where the last process stopped.
//!
//! # Invariants
//! - A 2xx means that what was accepted is durable. Storms share commits; none is answered early.
//! - [`decision`] sees no clock, no randomness and no I/O; they are arguments. State is the fold of
//!   stored events and nothing else.
//! - Every "no" is a named [`incident::Reason`], the same in log, metric, API and evidence.
//! - Acting waits for nothing but the commit, and for half a second at most: snapshots, evidence and
//!   messages run beside it.
//! - Deadlines move with a wall clock that is set; ages are measured with the monotonic one.
//! - Every step is an absolute value that converges, so repeating it after a crash is harmless.
//! - "Rolled back" is said only of what was read back. Missing data is unknown, never healthy.
//! - A started rollback is never interrupted; a failed one stays open and is tried again.
//! - Secrets are a type that can't be printed.
//!
//! # Deliberately absent
//! - No queue between a commit and its action: the state is the queue.
//! - No rollback on missing data, and no cancelling on it either.
//! - No trust in a group's status, in `resolved` alone, or in an acknowledged request.
//! - No second truth: evidence and API are views of the stored events.
//!
//! # Rooms, in reading order
//! Dependencies point one way; a test reads the source and enforces it.

pub mod text;

pub mod incident;

pub mod decision;

pub mod clock;
pub mod randomness;
pub mod supervision;

pub mod store;

pub mod outbound;
pub mod signals;

pub mod execution;
pub mod verification;

pub mod evidence;

pub mod pipeline;

pub mod web;
pub mod webhook;

pub mod listener;

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod logging;
pub mod metrics;
