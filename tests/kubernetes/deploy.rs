//! What `deploy/kubernetes` ships: that a cluster takes it, that it gives the rights that are needed and
//! no others, and what its policies let the account do with them.

mod admission;
mod manifests;
mod rights;
