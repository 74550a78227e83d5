//! What Slack says that somebody has pressed. Read by hand: of what Slack sends, the library insists on
//! more than there always is (`team` is null where an app is installed for a whole organisation).

use serde::Deserialize;

/// The longest name of a user that is kept. Slack's own limit is 80.
const MAX_NAME_CHARS: usize = 80;

/// The only kind of interaction that comes from a button.
const BLOCK_ACTIONS: &str = "block_actions";

/// Somebody has pressed a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Click {
    /// The user's id.
    pub(super) user: String,
    /// The user as they are shown and stored.
    pub(super) actor: String,
    /// Where the message is that carries the button.
    pub(super) channel: String,
    pub(super) message_ts: String,
    pub(super) thread_ts: Option<String>,
    /// Which button.
    pub(super) action: String,
    /// When, as Slack says: its name among the user's clicks.
    pub(super) action_ts: String,
    /// What the button is about: an incident's id, or a ramp's with its stage.
    pub(super) about: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interaction {
    Click(Click),
    /// Something else, which leads to nothing.
    Other,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    api_app_id: Option<String>,
    user: Option<User>,
    container: Option<Container>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    action_ts: Option<String>,
    value: Option<String>,
}

impl Interaction {
    /// Reads a payload; `app`: the one whose clicks count, if it is configured.
    ///
    /// # Errors
    /// When it is no JSON, or not of the form that Slack describes.
    pub(super) fn read(payload: &str, app: Option<&str>) -> Result<Self, serde_json::Error> {
        let payload: Payload = serde_json::from_str(payload)?;
        let is_ours = app.is_none_or(|app| payload.api_app_id.as_deref() == Some(app));
        if payload.kind != BLOCK_ACTIONS || !is_ours {
            return Ok(Self::Other);
        }
        Ok(payload.into_click().map_or(Self::Other, Self::Click))
    }
}

impl Payload {
    /// `None`: it is no click of a button of a message.
    fn into_click(self) -> Option<Click> {
        let user = self.user.filter(|user| is_id(&user.id))?;
        let container = self.container?;
        let action = self.actions.into_iter().next()?;
        Some(Click {
            actor: user.shown(),
            user: user.id,
            channel: container.channel_id?,
            message_ts: container.message_ts?,
            thread_ts: container.thread_ts,
            action: action.action_id?,
            action_ts: action.action_ts?,
            about: action.value?,
        })
    }
}

impl User {
    /// Such as `@ana (Slack U0123ABCD)`: a name can be changed, and the id can't.
    fn shown(&self) -> String {
        let name = self.username.as_ref().or(self.name.as_ref());
        let name = name.map(|name| name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect());
        match name.map(|name: String| name.trim().to_owned()) {
            Some(name) if !name.is_empty() => format!("@{name} (Slack {})", self.id),
            _ => format!("Slack {}", self.id),
        }
    }
}

/// Ids of users are upper-case letters and digits.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    (2..=32).contains(&text.len()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn payload() -> Value {
        json!({
            "type": "block_actions", "api_app_id": "A0", "team": null, "enterprise": { "id": "E0" },
            "user": { "id": "U0ANA", "username": "ana", "team_id": "T0" },
            "container": { "type": "message", "channel_id": "C0", "message_ts": "1.2", "is_ephemeral": false },
            "response_url": "https://hooks.slack.com/actions/s3cret",
            "actions": [{ "action_id": "hold", "action_ts": "3.4", "value": "an-incident", "type": "button" }],
        })
    }

    fn read(payload: &Value) -> Interaction {
        Interaction::read(&payload.to_string(), Some("A0")).expect("readable")
    }

    #[test]
    fn a_click_is_read_also_where_an_organisation_has_no_team() {
        let Interaction::Click(click) = read(&payload()) else { panic!("a click") };
        assert_eq!(click.actor, "@ana (Slack U0ANA)");
        assert_eq!((click.action.as_str(), click.about.as_str()), ("hold", "an-incident"));
        assert!(!format!("{click:?}").contains("s3cret"), "the address to answer at is never kept");
    }

    #[test]
    fn whatever_else_slack_says_leads_to_nothing() {
        for (pointer, value) in [
            ("/type", json!("view_submission")),
            ("/type", json!("something_new")),
            ("/api_app_id", json!("A1")),
            ("/actions", json!([])),
            ("/container", Value::Null),
            ("/container/channel_id", Value::Null),
            ("/user", Value::Null),
            ("/user/id", json!("U0 <!channel>")),
            ("/actions/0/value", Value::Null),
        ] {
            let mut payload = payload();
            *payload.pointer_mut(pointer).expect(pointer) = value;
            assert_eq!(read(&payload), Interaction::Other, "{pointer}");
        }
        assert!(Interaction::read("{}", None).is_err() && Interaction::read("[", None).is_err());
    }

    #[test]
    fn a_name_can_forge_no_line_and_bury_nothing() {
        let user = |name: &str| User { id: "U1".to_owned(), username: Some(name.to_owned()), name: None };
        assert_eq!(user("a\nb\u{1b}[2J").shown(), "@ab[2J (Slack U1)");
        assert_eq!(user(" \n").shown(), "Slack U1");
        assert_eq!(user(&"x".repeat(500)).shown().len(), "@ (Slack U1)".len() + MAX_NAME_CHARS);
    }
}
