//! By what two processes know that they read the same configuration.

use sha2::{Digest, Sha256};

/// The beginning of the text's SHA-256 in hex: enough to tell two of a site's apart. Secrets are in files
/// of their own, so there is nothing in the text to be guessed.
pub(super) fn of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
