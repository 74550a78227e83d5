//! A rollback while the cluster fails: each fault of the API server on each of its calls, one that is
//! frozen or restarted, objects that are gone, rights that are taken away.
//!
//! Everywhere the same is asked: the rollback ends right and in bounded time, nothing is worse than before
//! meanwhile, each change arrived once, and people were told what was the matter.

mod objects;
mod reads;
mod recreated;
mod restarts;
mod rights;
mod scene;
mod writes;
