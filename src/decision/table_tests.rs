//! The decision table, row by row (design, section 4).

mod alerts;
mod causes;
mod clock;
mod episodes;
mod grace;
mod limits;
mod public;
mod recording;
mod remembered;
mod reopened;
mod repeats;
mod revisions;
mod rollback;
