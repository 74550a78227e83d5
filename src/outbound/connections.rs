//! Which outside systems share sockets and certificates.

use std::collections::HashMap;
use std::time::Duration;

use super::{MAX_ANSWER_BYTES, Outbound, Trust, client};
use crate::config::{AccessConfig, ClientTlsConfig, ClientTlsError};

/// Builds clients. Those that trust and present the same share one pool: the machine's authorities
/// take an eighth of a MiB each time they are read, and there may be a thousand rollouts.
#[derive(Debug, Default)]
pub struct Connections {
    pools: HashMap<(ClientTlsConfig, bool), reqwest::Client>,
}

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A person has to mend the file.
    #[error("{error}; {remedy}", error = .0, remedy = .0.remedy)]
    File(#[from] ClientTlsError),
    /// The TLS library refuses what the files hold.
    #[error("a client can't be built")]
    Unusable(#[from] reqwest::Error),
}

impl Connections {
    /// A client for the system that is reached like this; each of its requests ends within `timeout`.
    ///
    /// # Errors
    /// When a file can't be read or used.
    pub fn to(&mut self, access: &AccessConfig, timeout: Duration) -> Result<Outbound, ConnectError> {
        let pool = (access.tls.clone(), access.proxy_from_environment);
        let client = match self.pools.get(&pool) {
            Some(client) => client.clone(),
            None => {
                let loaded = access.tls.load()?;
                let trust = Trust {
                    host: None,
                    authorities: loaded.authorities,
                    identity: loaded.identity,
                    proxy_from_environment: access.proxy_from_environment,
                };
                let client = client(&trust)?;
                self.pools.insert(pool, client.clone());
                client
            }
        };
        Ok(Outbound { client, timeout, max_answer_bytes: MAX_ANSWER_BYTES, access: access.clone() })
    }
}

#[cfg(test)]
mod tests;
