//! How Slack is reached: over TLS with the machine's roots, and in the clear only on this machine.

use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};
use slack_morphism::prelude::*;

use crate::config::SlackConfig;

/// The client's transport. slack-morphism's own accepts `https` only, and takes whichever provider of
/// cryptography the process has; with two linked it panics.
pub(super) type Connector = SlackClientHyperConnector<HttpsConnector<HttpConnector>>;

/// The TLS of every connection to Slack.
///
/// # Errors
/// When the machine's certificates can't be read.
pub fn tls(config: &SlackConfig) -> std::io::Result<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider().into();
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(std::io::Error::other)?;
    // Nothing on this machine is asked for a certificate that somebody else vouches for.
    let rooted = if config.is_loopback {
        versions.with_root_certificates(RootCertStore::empty())
    } else {
        versions.with_native_roots()?
    };
    Ok(rooted.with_no_client_auth())
}

pub(super) fn connector(config: &SlackConfig) -> std::io::Result<Connector> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls(config)?);
    let builder = if config.is_loopback { builder.https_or_http() } else { builder.https_only() };
    let https = builder.enable_http1().enable_http2().build();
    Ok(SlackClientHyperConnector::with_connector(https).with_slack_api_url(&config.api_url))
}
