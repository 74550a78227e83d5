//! Who is who: an authority, the API server's certificate, and one for each of its clients.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// The clients: the name of their files, the user that the API server takes them for, and its group.
pub(super) const CLIENTS: [(&str, &str, &str); 4] = [
    ("admin", "admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    // Plays every node there is.
    ("kubelet", KUBELET, "system:masters"),
];

/// The user that plays the kubelets.
pub(super) const KUBELET: &str = "backstop:kubelet";

/// Writes all of them, and the keys that sign tokens, into the folder.
pub(super) fn write(folder: &Path) {
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("written");
    let authority = authority();
    put("authority.crt", authority.pem());

    let names = ["localhost", "127.0.0.1", "kubernetes.default.svc", "10.0.0.1"].map(str::to_owned);
    let server = CertificateParams::new(names.to_vec()).expect("names");
    let mut certificates = vec![("apiserver", server, ExtendedKeyUsagePurpose::ServerAuth)];
    for (file, user, group) in CLIENTS {
        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, user);
        if !group.is_empty() {
            client.distinguished_name.push(DnType::OrganizationName, group);
        }
        certificates.push((file, client, ExtendedKeyUsagePurpose::ClientAuth));
    }
    for (file, mut params, usage) in certificates {
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        put(&format!("{file}.crt"), params.signed_by(&key, &authority).expect("signed").pem());
        put(&format!("{file}.key"), key.serialize_pem());
    }

    let tokens = KeyPair::generate().expect("a key");
    put("tokens.key", tokens.serialize_pem());
    put("tokens.pub", tokens.public_key_pem());
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "backstop's tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}
