//! What is wrong with how an outside system is reached, or how we authenticate to it: each with key
//! and remedy.

use std::path::Path;

use chrono::{DateTime, TimeDelta};
use rcgen::{CertificateParams, KeyPair};

use super::{Config, Credentials, FlagMethod, HeaderText, Level, Problem, ShareScale, TrafficConfig};

fn text(system: &str, traffic: &str) -> String {
    format!(
        "[alertmanager]\nurls = [\"https://127.0.0.1:9093\"]\n{system}\n[[rollouts]]\nname = \"x\"\n\
         [rollouts.traffic]\nkind = \"feature-flag\"\nurl = \"http://127.0.0.1:1\"\nfeature = \"v1\"\n{traffic}\n"
    )
}

fn parse(system: &str, traffic: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(&text(system, traffic), Path::new("/etc/backstop/backstop.toml"))
        .map_err(|report| report.problems)
}

#[test]
fn each_way_in_is_read_for_each_system() {
    let keys = "basic_auth = { username = \"me\", password_file = \"pw\" }
headers = { \"X-Scope-OrgID\" = \"team a\", X-Api-Key = { file = \"key\" } }
ca_file = \"ca.pem\"\nproxy_from_environment = true";
    let config = parse(keys, "bearer_token_file = \"token\"\nmethod = \"PATCH\"\nscale = \"fraction\"");
    let config = config.expect("valid");
    let access = &config.alertmanager.access;
    assert!(matches!(&access.credentials, Some(Credentials::Basic { username, .. }) if username == "me"));
    let [tenant, key] = access.headers.as_slice() else { panic!("two headers: {access:?}") };
    assert!(matches!(&tenant.value, HeaderText::Literal(value) if value == "team a"), "{tenant:?}");
    assert!(matches!(&key.value, HeaderText::File(file) if file.path() == Path::new("/etc/backstop/key")));
    assert_eq!(access.tls.ca_file.as_deref(), Some(Path::new("/etc/backstop/ca.pem")));
    assert!(access.proxy_from_environment && !config.prometheus.access.proxy_from_environment);
    let TrafficConfig::FeatureFlag(traffic) = &config.rollouts[0].traffic else { panic!("a flag") };
    assert_eq!((traffic.method, traffic.scale), (FlagMethod::Patch, ShareScale::Fraction));
    let missing: Vec<_> = config.check_secrets().into_iter().map(|problem| problem.key).collect();
    let expected = [
        "alertmanager.basic_auth.password_file",
        "alertmanager.headers.x-api-key.file",
        "rollouts[0].traffic.bearer_token_file",
    ];
    assert_eq!(missing, expected);
}

#[test]
fn each_mistake_names_its_key_and_remedy() {
    for (system, traffic, key, remedy) in [
        (
            "bearer_token_file = \"a\"\nbasic_auth = { username = \"me\", password_file = \"pw\" }",
            "",
            "alertmanager.basic_auth",
            "remove one",
        ),
        (
            "basic_auth = { username = \"me\" }",
            "",
            "alertmanager.basic_auth.password_file",
            "add password_file",
        ),
        (
            "basic_auth = { username = \"a:b\", password_file = \"pw\" }",
            "",
            "alertmanager.basic_auth.username",
            "without",
        ),
        (
            "basic_auth = { user = \"a\", username = \"a\", password_file = \"pw\" }",
            "",
            "alertmanager.basic_auth.user",
            "username",
        ),
        ("client_cert_file = \"c\"", "", "alertmanager.client_cert_file", "client_key_file"),
        ("client_key_file = \"c\"", "", "alertmanager.client_key_file", "client_cert_file"),
        ("proxy_from_environment = \"yes\"", "", "alertmanager.proxy_from_environment", "= true"),
        ("headers = { \"X Scope\" = \"a\" }", "", "alertmanager.headers.X Scope", "hyphens"),
        ("headers = { Host = \"a\" }", "", "alertmanager.headers.Host", "remove"),
        (
            "headers = { Authorization = \"Bearer x\" }",
            "",
            "alertmanager.headers.Authorization",
            "bearer_token_file",
        ),
        ("headers = { X-A = \"a\\nb\" }", "", "alertmanager.headers.X-A", "visible"),
        ("headers = { X-A = { path = \"a\" } }", "", "alertmanager.headers.X-A.file", "add file"),
        ("headers = \"X-A\"", "", "alertmanager.headers", "write it as"),
        ("", "headers = { X-A = 1 }", "rollouts[0].traffic.headers.X-A", "write X-A"),
        ("", "method = \"GET\"", "rollouts[0].traffic.method", "\"POST\" or \"PUT\" or \"PATCH\""),
        ("", "scale = \"promille\"", "rollouts[0].traffic.scale", "\"percent\" or \"fraction\""),
        ("", "body = '{\"percentage\": 0}'", "rollouts[0].traffic.body", "add {percentage} or {fraction}"),
        ("", "body = '{\"percentage\": {percent}}'", "rollouts[0].traffic.body", "use {feature}"),
        ("", "body = '{\"f\": {feature}, \"p\": {percentage}}'", "rollouts[0].traffic.body", "quotes around"),
    ] {
        let problems = parse(system, traffic).err().unwrap_or_default();
        let found = problems.iter().find(|problem| problem.key == key && problem.level == Level::Error);
        let found = found.unwrap_or_else(|| panic!("no error for {key} in {system}{traffic}: {problems:?}"));
        assert!(found.remedy.contains(remedy), "{found}");
        assert!(found.line.is_some(), "{found}");
    }
}

#[test]
fn files_that_no_connection_can_use_are_named_before_the_first_one_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let (key, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut params = CertificateParams::new(vec!["me".to_owned()]).expect("parameters");
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    write("cert.pem", &params.self_signed(&key).expect("signed").pem());
    write("key.pem", &key.serialize_pem());
    write("other-key.pem", &other.serialize_pem());
    write("nothing", "s3cret that is no PEM");
    let problems = |keys: &str, now| {
        let config = Config::parse(&text(keys, ""), &folder.path().join("backstop.toml")).expect("valid");
        let problems = config.check_access(now);
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect::<Vec<_>>()
    };
    let pair = |cert: &str, key: &str| format!("client_cert_file = \"{cert}\"\nclient_key_file = \"{key}\"");
    for (keys, expected) in [
        ("ca_file = \"cert.pem\"".to_owned(), ""),
        (pair("cert.pem", "key.pem"), ""),
        ("ca_file = \"missing\"".to_owned(), "alertmanager.ca_file: PATH/missing can't be read"),
        ("ca_file = \"nothing\"".to_owned(), "alertmanager.ca_file: PATH/nothing holds nothing of the kind"),
        (pair("nothing", "key.pem"), "alertmanager.client_cert_file: PATH/nothing holds nothing"),
        (pair("cert.pem", "nothing"), "alertmanager.client_key_file: PATH/nothing holds nothing"),
        (pair("cert.pem", "other-key.pem"), "PATH/other-key.pem is not the certificate's key"),
    ] {
        let found = problems(&keys, DateTime::UNIX_EPOCH).join("; ");
        let expected = expected.replace("PATH", &folder.path().display().to_string());
        assert!(found.contains(&expected) && found.is_empty() == expected.is_empty(), "{keys}: {found}");
        assert!(!found.contains("s3cret"), "{found}");
    }
    let in_2170 = DateTime::UNIX_EPOCH + TimeDelta::days(365 * 200);
    let found = problems(&pair("cert.pem", "key.pem"), in_2170).join("; ");
    assert!(found.starts_with("alertmanager.client_cert_file: ") && found.contains("has expired"), "{found}");
}
