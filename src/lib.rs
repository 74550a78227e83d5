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
//!
//!  people ◀── notification: a queue for each incident and channel, part of the state ◀── pipeline::Worker
//! ```
//! An input (an alert, a person's request, a reading, a result) is decided at once, whatever the disk
//! does, and stored in the next commit; only then is a webhook answered 200, and only then does
//! anybody act. (A commit that fails, or takes over half a second, keeps no bad canary on: what is
//! urgent is acted upon from memory, and not answered 200. So it is with a store that can't be opened or
//! read at the start, which goes on once it can.) What is to be done is read off the state
//! by [`decision::due()`], so a restart resumes where the last process stopped.
//!
//! # Invariants
//! - A 2xx to Alertmanager means that what was accepted is durable; a person is acted for at once, and
//!   the answer says whether it is. Storms share commits; none is answered early.
//! - [`decision`] sees no clock, no randomness and no I/O; they are arguments. State is the fold of
//!   stored events and nothing else.
//! - Every "no" is a named [`incident::Reason`], the same in log, metric, API and evidence.
//! - Acting waits for nothing but the commit, and for half a second at most: snapshots, evidence,
//!   messages and the log run beside it.
//! - A rollback stores its own cause, the alert or the person with their words, and everything that
//!   says why there was one reads that.
//! - An incident is about one revision: once another is on canary, nothing is done for it.
//! - Deadlines move with a wall clock that is set; ages are measured with the boot-time one. A reading
//!   is as old as its question.
//! - A rollback is a plan of goals that is stored as it begins. Which step is next is a pure function of the
//!   plan, what was done, what was last observed and the time; every step is an absolute value that
//!   converges, so repeating it after a crash is harmless.
//! - No traffic goes to a stable version without a ready endpoint, and no canary goes down while it has
//!   traffic: the plan sees to it, and each target checks it once more as late as it can.
//! - A rollout is changed through its lane alone: once a later decision acts, nothing that was begun for an
//!   earlier one stands. A step that its incident asks for no longer is not tried again.
//! - "Rolled back" is said only of what was read back. Missing data is unknown, never healthy.
//! - A started rollback is never interrupted. Only traffic that is not off makes it failed: open, and
//!   tried again, or left to a person where trying again could strike what runs by then.
//! - What comes from outside is bounded by count and by length, and reaches a person only through [`text`].
//! - A notice is a fact that is stored with its decision, and a message is stored before it is sent: one
//!   that may have arrived is looked for before it is sent again, and no channel waits for another.
//! - A program is run as the configuration has it now, without a shell and within its time, and ends with all
//!   that it began; a stored plan alone runs nothing.
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

pub mod finding;
pub mod promql;
pub mod text;

pub mod incident;

pub mod report;

pub mod ramp;

pub mod picture;

pub mod decision;

pub mod clock;
pub mod ownership;
pub mod randomness;
pub mod supervision;

pub mod store;

pub mod commands;
pub mod outbound;
pub mod signals;
pub mod tagging;

pub mod execution;
pub mod verification;

pub mod evidence;
pub mod notification;

pub mod pipeline;

pub mod web;
pub mod webhook;

pub mod listener;

pub mod doctor;

pub mod app;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod logging;
pub mod metrics;
pub mod rules;
