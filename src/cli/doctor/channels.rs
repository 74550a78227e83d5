//! The channels to people: what `check-config --online` asks of each; nothing is sent.

use crate::cli::notify::{self, Said};
use crate::config::Config;
use crate::doctor::Examination;
use crate::finding::{Area, Check, Finding};

pub(super) fn examination(config: &Config) -> Examination {
    let config = config.clone();
    Examination::new(Area::Channels, "", async move {
        match notify::built(&config) {
            Err(error) => {
                let check = Check::new(Area::Channels, "", "usable");
                vec![check.warning(format!("No channel can be used: {error}."), "Mend what is named.")]
            }
            Ok(channels) => judged(&notify::checked(&channels).await),
        }
    })
}

fn judged(all: &[Said]) -> Vec<Finding> {
    if all.is_empty() {
        let check = Check::new(Area::Channels, "", "usable");
        let message = "No channel is configured: Backstop itself tells nobody.";
        return vec![check.note(message, "Configure one, or leave it to Alertmanager's own routes.")];
    }
    all.iter().map(judged_one).collect()
}

fn judged_one(said: &Said) -> Finding {
    let check = Check::new(Area::Channels, &said.channel, "usable");
    match &said.error {
        Some(error) => check.warning(
            format!("People would not be told by it: {error}."),
            format!("Mend that, and try: backstop notify test --channel {}.", said.channel),
        ),
        None => {
            let seen = if said.findings.is_empty() {
                String::new()
            } else {
                format!(" {}.", said.findings.join("; "))
            };
            check.fine(format!("It could be used; backstop notify test sends a message.{seen}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_channel_that_fails_is_a_warning_because_a_rollback_waits_for_none() {
        let said = |error: Option<&str>| Said {
            channel: "slack".to_owned(),
            ok: error.is_none(),
            findings: vec!["the token is of workspace spark".to_owned()],
            error: error.map(str::to_owned),
        };
        let found = judged(&[said(None), said(Some("not_in_channel"))]);
        assert_eq!([found[0].severity, found[1].severity], [Severity::Fine, Severity::Warning]);
        assert!(found[1].remedy.as_deref().is_some_and(|text| text.contains("notify test --channel slack")));
        assert_eq!(judged(&[])[0].severity, Severity::Note);
    }
}
