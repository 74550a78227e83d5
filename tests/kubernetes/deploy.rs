//! What `deploy/kubernetes` ships: that a cluster takes it, and that it gives the rights that are needed
//! and no others.

mod rights;
