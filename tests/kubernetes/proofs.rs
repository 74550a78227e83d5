//! That the control plane of the tests behaves as a cluster does, so that what is tested on it says
//! something about a cluster.

mod ends;
mod faults;
mod history;
mod pods;
mod rules;
