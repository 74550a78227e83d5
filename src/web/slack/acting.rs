//! Does what a button says: looks at where the incident stands, whether the user may, and asks the
//! journal. Who is refused is told so, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::operators::Operators;
use super::payload::Click;
use crate::decision::{Input, Refusal, Request};
use crate::incident::{ChannelName, Deliveries, Incident, IncidentId};
use crate::metrics::ClickOutcome;
use crate::notification::slack::{Api, Button, HOLD, NAME, RampButton, root_of};
use crate::pipeline::{Rollout, Worker};

/// How long telling one person may take. Nobody waits for it.
const TELLING: Duration = Duration::from_secs(10);

/// How long the end of the process waits for it.
const LAST_TELLINGS: Duration = Duration::from_secs(2);

/// People that are being told something at once, at most.
const MOST_TELLINGS: usize = 16;

/// The reason and the words of what is asked for without any.
pub(super) const BY_A_BUTTON: &str = "by a button in Slack";

/// What came of a click, and what the user is told of it.
pub(super) type Came = (ClickOutcome, Option<String>);

/// Acts on clicks, one after the other: what the second finds is what the first has left.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) worker: Worker,
    pub(super) api: Api,
    pub(super) operators: Operators,
}

impl Acting {
    /// Acts until `stop`, and then on what was taken before.
    pub(super) async fn run(self, mut clicks: mpsc::Receiver<Click>, stop: CancellationToken) {
        let (acting, mut tellings) = (Arc::new(self), JoinSet::new());
        loop {
            let click = tokio::select! {
                biased;
                () = stop.cancelled(), if !clicks.is_closed() => {
                    clicks.close();
                    continue;
                }
                click = clicks.recv() => click,
            };
            let Some(click) = click else { break };
            while tellings.len() >= MOST_TELLINGS {
                let _told_or_not = tellings.join_next().await;
            }
            while tellings.try_join_next().is_some() {}
            let (outcome, answer) = acting.act_apart(&click).await;
            acting.worker.metrics.click(outcome);
            if let Some(answer) = answer {
                tellings.spawn(Arc::clone(&acting).tell(click, answer));
            }
        }
        let rest = async { while tellings.join_next().await.is_some() {} };
        let _told_or_not = tokio::time::timeout(LAST_TELLINGS, rest).await;
        stop.cancelled().await;
    }

    /// In a task of its own: a panic harms only its own click.
    async fn act_apart(self: &Arc<Self>, click: &Click) -> Came {
        let (acting, of_task) = (Arc::clone(self), click.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { acting.act(&of_task).await });
        match task.join_next().await {
            Some(Ok(came)) => came,
            Some(Err(_)) | None => {
                self.worker.metrics.task_panicked();
                tracing::error!(about = click.about, "a click broke off");
                (
                    ClickOutcome::Failed,
                    Some("Backstop has failed to do this: use the command line.".to_owned()),
                )
            }
        }
    }

    async fn tell(self: Arc<Self>, click: Click, answer: String) {
        let (until, thread) = (Instant::now() + TELLING, click.thread_ts.as_deref());
        if let Err(error) = self.api.whisper(&click.user, &click.channel, thread, &answer, until).await {
            tracing::warn!(%error, user = click.user, answer, "who pressed a button could not be told");
        }
    }

    pub(super) async fn act(&self, click: &Click) -> Came {
        if let Some(button) = RampButton::of_action(&click.action) {
            return self.act_on_ramp(button, click).await;
        }
        let Some(button) = Button::of_action(&click.action) else { return (ClickOutcome::Ignored, None) };
        let Some(incident) = self.incident(click) else { return self.not_at_hand(click).await };
        if !is_its_message(&incident.deliveries, click) {
            return refused("This is not the incident's own message: press the button there.");
        }
        if button.needs_an_operator()
            && let Some(denied) = self.denied(click, "rollback").await
        {
            return denied;
        }
        if !Button::of(&incident).contains(&button) {
            return refused(&too_late(button, &click.actor, &incident));
        }
        self.ask(button, click, &incident).await
    }

    fn incident(&self, click: &Click) -> Option<Arc<Incident>> {
        let states = self.worker.journal.states();
        let id = IncidentId::new(click.about.as_str());
        states.values().find_map(|state| state.known_incident(&id).cloned())
    }

    /// Nothing is left to be done for it, or it never was here. What of the id the store does not know is
    /// not repeated: anybody may have written it into a button.
    async fn not_at_hand(&self, click: &Click) -> Came {
        match self.worker.store.incident(&IncidentId::new(click.about.as_str())).await {
            Ok(Some(ended)) => {
                refused(&format!("This incident has ended: see `backstop incident show {}`.", ended.id))
            }
            Ok(None) => refused(
                "This incident is not known here: it is another Backstop's, or is kept no longer. `backstop incident list` has those that are.",
            ),
            Err(_) => {
                refused("Not done: the store can't be read now, and nothing is known of this incident.")
            }
        }
    }

    /// Why the user may not do what only operators may; `None`: they may. `command` does the same elsewhere.
    pub(super) async fn denied(&self, click: &Click, command: &str) -> Option<Came> {
        let otherwise = format!("`backstop {command}` and the API do the same with a token.");
        let answer = match self.operators.allow(&click.user, &self.api).await {
            Ok(true) => return None,
            Ok(false) if self.operators.are_named() => format!(
                "You may not do this here: your id {} is not among slack.operators, nor in slack.operator_group. {otherwise}",
                click.user
            ),
            Ok(false) => format!("Nobody may do this here: slack.operators is not set. {otherwise}"),
            Err(trouble) => format!("Slack does not say whether you may do this: {trouble}. {otherwise}"),
        };
        let Click { actor, action, about, .. } = click;
        tracing::warn!(actor, about, button = action, "a click was not permitted");
        Some((ClickOutcome::NotPermitted, Some(answer)))
    }

    async fn ask(&self, button: Button, click: &Click, incident: &Incident) -> Came {
        let Some(rollout) = self.worker.rollouts.get(&incident.rollout) else {
            return refused("Its rollout is no longer configured.");
        };
        if matches!(button, Button::RollBack | Button::TryAgain) {
            // Read first, as for everybody who asks: with nothing on the canary there is nothing to do.
            self.worker.read_share(rollout).await;
        }
        match self.put(rollout, click, self.request(button, incident)).await {
            (ClickOutcome::Done, None) if button == Button::TryAgain => {
                (ClickOutcome::Done, Some("It is tried again now.".to_owned()))
            }
            came => came,
        }
    }

    /// Puts the request to the journal. What is done is seen in the message, which changes with everything
    /// else, and not said.
    pub(super) async fn put(&self, rollout: &Rollout, click: &Click, request: Request) -> Came {
        let input = Input::Person { actor: click.actor.clone(), request };
        match self.worker.journal.ask(&rollout.name, input).await {
            Err(error) => (ClickOutcome::Failed, Some(format!("Backstop could not take this: {error}."))),
            Ok((ruling, durable)) => match (ruling.refusal, durable) {
                (Some(refusal), _) => {
                    refused(&format!("Not done: {}.", refusal.to_string().trim_end_matches('.')))
                }
                (None, false) => {
                    let answer = "Done, and not stored yet: it is forgotten if Backstop ends before its store can be written.";
                    (ClickOutcome::Done, Some(answer.to_owned()))
                }
                (None, true) => (ClickOutcome::Done, None),
            },
        }
    }

    fn request(&self, button: Button, incident: &Incident) -> Request {
        let incident = incident.id.clone();
        match button {
            Button::RollBack | Button::TryAgain => {
                Request::RollBackIncident { incident, reason: BY_A_BUTTON.to_owned() }
            }
            Button::Hold => Request::Hold { incident, until: Some(self.worker.clock.now() + HOLD) },
            Button::EndHold => Request::Resume { incident },
            Button::Acknowledge => Request::Acknowledge { incident },
            Button::Close => Request::Close { incident, words: BY_A_BUTTON.to_owned() },
        }
    }
}

pub(super) fn refused(answer: &str) -> Came {
    (ClickOutcome::Refused, Some(answer.to_owned()))
}

/// Whether the click is of the message that shows how the subject of these deliveries stands. Whoever can
/// post in another channel could show its buttons there.
pub(super) fn is_its_message(deliveries: &Deliveries, click: &Click) -> bool {
    let queue = deliveries.queues.get(&ChannelName::new(NAME));
    let root = queue.and_then(|queue| root_of(&queue.references));
    root.is_some_and(|root| root.channel == click.channel && root.ts == click.message_ts)
}

fn too_late(button: Button, actor: &str, incident: &Incident) -> String {
    match (button, &incident.acknowledged_by) {
        (Button::Acknowledge, Some(by)) => {
            format!("Not done: {}.", Refusal::already_acknowledged(by, actor))
        }
        _ => {
            let stands = incident.phase.sentence();
            format!("\u{201c}{}\u{201d} is not possible: {}.", button.label(), stands.trim_end_matches('.'))
        }
    }
}
