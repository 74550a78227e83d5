//! How a message gets from Alertmanager to whichever process lives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::incident::Alert;

use crate::process::Door;
use crate::promises;
use crate::urgency;
use crate::world::World;

/// How often Alertmanager tries to deliver, and how many times.
const RETRY: Duration = Duration::from_millis(1_500);
const TRIES: u32 = 20;

/// The way into the process that lives now.
pub(crate) type SharedDoor = Arc<Mutex<Option<Arc<Door>>>>;

/// Tries to deliver one message, as Alertmanager does.
pub(crate) async fn deliver(world: World, door: SharedDoor, alerts: Vec<Alert>, delay: Duration) {
    tokio::time::sleep(delay).await;
    let told = alerts.iter().map(|alert| {
        serde_json::json!({
            "status": alert.status, "labels": alert.labels, "startsAt": alert.starts_at,
            "endsAt": alert.ends_at, "fingerprint": alert.fingerprint,
        })
    });
    let body = serde_json::json!({ "version": "4", "alerts": told.collect::<Vec<_>>() }).to_string();
    for _ in 0..TRIES {
        let open = door.lock().expect("a lock").clone();
        let answered = match open {
            Some(open) => {
                let now = world.now();
                alerts.iter().for_each(|alert| urgency::handed_over(&mut world.lock(), alert, now));
                open.post(body.clone()).await
            }
            None => None,
        };
        if answered == Some(200) && !world.lock().crashed {
            for alert in &alerts {
                world.say(format!("answered 200: {} {:?}", alert.name(), alert.status));
                let now = world.now();
                let mut inner = world.lock();
                let promise = promises::hold_at_an_answer(&mut inner, alert, now);
                world.keep(inner, promise);
            }
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}
