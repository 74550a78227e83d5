//! Who shares a pool.

use super::*;

#[test]
fn a_thousand_systems_that_trust_alike_share_one_pool() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let mut connections = Connections::default();
    let mut connect = |proxy_from_environment| {
        let access = AccessConfig { proxy_from_environment, ..AccessConfig::default() };
        connections.to(&access, Duration::from_secs(1)).map(|_| connections.pools.len())
    };
    for _ in 0..1_000 {
        assert_eq!(connect(false).ok(), Some(1));
    }
    assert_eq!(connect(true).ok(), Some(2), "another way there has a pool of its own");
}
