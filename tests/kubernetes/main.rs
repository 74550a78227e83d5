//! Kubernetes as it is: an API server, its controllers, its scheduler and its store, all real; only the
//! kubelet is played, because there are no machines. `controlplane` starts them, `proofs` shows that
//! they behave as a cluster does, `execution` what our own steps do there, `whole` and `rolled_back` what an
//! alert leads to, `faults` the same while the cluster fails, `chain` what bad metrics lead to, `ramp` how a canary
//! gets its traffic, `demo` shows it, and `deploy` is what people are given to install. `history` sees everything that ever was so.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can not go on has failed, and says where")]

mod accounts;
#[cfg(feature = "demo")]
mod chain;
mod controlplane;
#[cfg(feature = "demo")]
mod demo;
mod deploy;
mod doctor;
mod execution;
mod faults;
mod gateway;
mod history;
mod incidents;
#[path = "../integration/support/ports.rs"]
mod ports;
mod proofs;
mod proxy;
#[cfg(feature = "demo")]
mod ramp;
mod rolled_back;
mod rollouts;
mod served;
mod shipped;
mod whole;
mod workloads;
