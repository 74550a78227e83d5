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
/// When the provider of cryptography has no usable suites, which no machine can change.
pub(super) fn tls(config: &SlackConfig) -> std::io::Result<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(std::io::Error::other)?;
    // Nothing on this machine is asked for a certificate that somebody else vouches for.
    let native = (!config.is_loopback).then(|| builder.clone().with_native_roots());
    let rooted = match native {
        Some(Ok(rooted)) => rooted,
        // No messenger stops a rollback: Backstop starts, and what is sent to Slack fails.
        Some(Err(error)) => {
            tracing::error!(%error, "Slack can't be reached: the machine's certificates can't be read");
            builder.with_root_certificates(RootCertStore::empty())
        }
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(rooted.with_no_client_auth())
}

pub(super) fn connector(config: &SlackConfig, tls: ClientConfig) -> Connector {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    let builder = if config.is_loopback { builder.https_or_http() } else { builder.https_only() };
    let https = builder.enable_http1().enable_http2().build();
    SlackClientHyperConnector::with_connector(https).with_slack_api_url(&config.api_url)
}
