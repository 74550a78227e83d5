//! The decision table, row by row (design, section 4).

mod aftermath;
mod alerts;
mod causes;
mod clock;
mod cluster;
mod cluster_model;
mod delivery;
mod episodes;
mod escalation;
mod grace;
mod guard;
mod last_stage;
mod limits;
mod public;
mod recording;
mod remembered;
mod reopened;
mod repeats;
mod revisions;
mod rollback;
