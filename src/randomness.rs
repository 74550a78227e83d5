//! The only source of randomness. Decisions take a number as an argument; whoever needs one asks
//! here, so that a simulation can give the same numbers again.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Random numbers. Clones draw from one source.
#[derive(Debug, Clone)]
pub struct Randomness(Arc<Mutex<StdRng>>);

impl Randomness {
    /// For production: seeded by the operating system, so that nobody can foresee its tokens.
    #[must_use]
    pub fn unforeseen() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_rng(&mut rand::rng()))))
    }

    /// For simulations: the same seed gives the same numbers.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Distinguishes two incidents that open in one second: their ids hold the time to the second.
    #[must_use]
    pub fn nonce(&self) -> u16 {
        self.draw(|rng| rng.random())
    }

    /// 24 random bytes in hex: a token that nobody can guess.
    #[must_use]
    pub fn token(&self) -> String {
        let bytes: [u8; 24] = self.draw(|rng| rng.random());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A number from 0 up to, but not, 1: spreads the pauses between tries.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.draw(|rng| rng.random())
    }
}
