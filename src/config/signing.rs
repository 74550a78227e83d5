//! Signatures by a shared secret: HMAC-SHA256 in lower-case hex, as most webhooks have it.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::secret::{SecretError, SecretFile};

/// A secret that is never sent. Signed is with its first line; accepted is the signature by any line, so
/// that it can be rotated.
#[derive(Debug, Clone)]
pub struct SigningSecret(SecretFile);

impl SigningSecret {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(file: SecretFile) -> Self {
        Self(file)
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> &SecretFile {
        &self.0
    }

    /// The signature, in hex.
    ///
    /// # Errors
    /// While the secret was never read.
    pub fn sign(&self, message: &[u8]) -> Result<String, SecretError> {
        let bytes = keyed(&self.0.read()?, message).map(|mac| mac.finalize().into_bytes());
        let bytes = bytes.unwrap_or_default();
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether the text is the signature of the message, in a time that does not tell where they differ.
    #[must_use]
    pub fn accepts(&self, message: &[u8], hex: &str) -> bool {
        let Some(signature) = bytes_of(hex) else { return false };
        let by = |line: &SecretString| {
            keyed(line, message).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
        };
        // Each is tried: which line it was is nobody's to measure.
        self.0.accepted_lines(|lines| lines.iter().filter(|line| by(line)).count() > 0)
    }
}

/// `None` never: HMAC takes a key of any length.
fn keyed(secret: &SecretString, message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(message);
    Some(mac)
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(folder: &tempfile::TempDir, text: &str) -> SigningSecret {
        let path = folder.path().join("secret");
        std::fs::write(&path, text).expect("written");
        let file = SecretFile::new(path);
        file.look();
        SigningSecret::new(file)
    }

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_the_standards() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = secret(&folder, "Jefe\n");
        let signature = secret.sign(b"what do ya want for nothing?").expect("read");
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(secret.accepts(b"what do ya want for nothing?", &signature));
        assert!(secret.accepts(b"what do ya want for nothing?", &signature.to_uppercase()));
    }

    #[test]
    fn either_secret_is_accepted_during_a_rotation_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, message) = (secret(&folder, "the old one"), b"a body");
        let signature = old.sign(message).expect("read");
        let both = secret(&folder, "the new one\nthe old one");
        assert!(both.accepts(message, &signature));
        assert!(both.accepts(message, &both.sign(message).expect("read")));
        assert!(!both.accepts(b"another body", &signature));
        let new = secret(&folder, "the new one");
        assert!(!new.accepts(message, &signature));
        for wrong in ["", "00", &"+1".repeat(32), &"z".repeat(64), &"é".repeat(32), &signature[..62]] {
            assert!(!both.accepts(message, wrong), "{wrong}");
        }
    }
}
