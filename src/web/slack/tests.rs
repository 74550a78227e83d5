//! Clicks, good and bad, over a worker that runs and a Slack that is a fake.

mod clicks;
mod http;
mod ramp;
mod scene;
mod socket;
