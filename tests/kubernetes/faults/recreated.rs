//! Somebody deletes an object between our reading and our writing, and perhaps creates it anew: a change
//! that was decided upon the old one never reaches the new one unread.

use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;

use super::scene::{CANARY_DOWN, ROUTE, STABLE_UP, Scene, WEIGHT, attempts};
use crate::incidents::told;
use crate::proxy::{Fault, Hold, On};
use crate::rollouts::{Rollout, Router};
use crate::workloads::pods;

/// The object that a change is about.
#[derive(Clone, Copy, Debug)]
enum Object {
    Stable,
    Canary,
    Divider,
}

impl Object {
    async fn delete(self, rollout: &Rollout) {
        match self {
            Self::Stable => rollout.workloads.delete::<Deployment>("stable").await,
            Self::Canary => rollout.workloads.delete::<Deployment>("canary").await,
            Self::Divider if rollout.router == Router::Nginx => {
                rollout.workloads.delete::<Ingress>("api").await;
            }
            Self::Divider => {
                rollout.routes().delete("api", &Default::default()).await.expect("deleted");
            }
        }
    }

    async fn create(self, rollout: &Rollout) {
        match self {
            Self::Stable => rollout.workloads.run("stable", "stable", 2, &pods::ready()).await,
            Self::Canary => rollout.workloads.run("canary", "canary", 2, &pods::ready()).await,
            Self::Divider if rollout.router == Router::Nginx => rollout.create_ingress().await,
            Self::Divider => rollout.create_route().await,
        }
    }
}

struct Case {
    namespace: &'static str,
    step: &'static str,
    change: (&'static str, &'static str),
    object: Object,
}

const fn case(
    namespace: &'static str,
    step: &'static str,
    change: (&'static str, &'static str),
    object: Object,
) -> Case {
    Case { namespace, step, change, object }
}

/// While the change is on its way its object is deleted and, at once or only after people were told,
/// created anew.
async fn meanwhile(scene: &Scene, case: &Case, at_once: bool) {
    let Case { namespace, step, change: (method, end), object } = case;
    let on = On::new(method, namespace, end);
    let hold = Hold::new();
    scene.proxy.fail(on.clone(), Fault::Held(std::sync::Arc::clone(&hold)), 1);
    scene.critical(&[namespace]).await;
    hold.has_come().await;
    let rollout = scene.rollout(namespace);
    object.delete(rollout).await;
    if at_once {
        object.create(rollout).await;
    }
    hold.let_on();
    if !at_once {
        scene.fails(namespace, &["there is no ", "create it, or mend the name"]).await;
        object.create(rollout).await;
    }
    let incident = scene.ends_right(namespace, Duration::from_secs(30)).await;
    let statuses: Vec<_> = scene.proxy.seen(&on).iter().map(|seen| seen.status).collect();
    // The gateway may come in between once more.
    let (last, before) = statuses.split_last().expect("at least one");
    let refused = Some(if at_once { 409 } else { 404 });
    let is_right = *last == Some(200) && !before.is_empty() && before.iter().all(|status| *status == refused);
    assert!(is_right, "{namespace}: {statuses:?}, {:#?}", attempts(&incident, step));
    assert_eq!(told(&incident, "rollback_failed"), usize::from(!at_once), "{namespace}");
}

#[tokio::test]
async fn an_object_that_is_created_anew_between_reading_and_writing_is_read_again() {
    let nginx = [
        case("anew-stable", "stable_up", STABLE_UP, Object::Stable),
        case("anew-ingress", "traffic_off", WEIGHT, Object::Divider),
        case("anew-canary", "canary_down", CANARY_DOWN, Object::Canary),
    ];
    let gateway = [case("anew-route", "traffic_off", ROUTE, Object::Divider)];
    both(&nginx, &gateway, true).await;
}

#[tokio::test]
async fn an_object_that_is_deleted_between_reading_and_writing_is_named_and_waited_for() {
    let nginx = [
        case("lost-stable", "stable_up", STABLE_UP, Object::Stable),
        case("lost-ingress", "traffic_off", WEIGHT, Object::Divider),
        case("lost-canary", "canary_down", CANARY_DOWN, Object::Canary),
    ];
    let gateway = [case("lost-route", "traffic_off", ROUTE, Object::Divider)];
    both(&nginx, &gateway, false).await;
}

async fn both(nginx: &[Case], gateway: &[Case], at_once: bool) {
    fn names(cases: &[Case]) -> Vec<&'static str> {
        cases.iter().map(|case| case.namespace).collect()
    }
    let (of_nginx, of_gateway) = (names(nginx), names(gateway));
    let (first, second) =
        tokio::join!(Scene::new(&of_nginx, Router::Nginx), Scene::new(&of_gateway, Router::Gateway));
    let all = nginx.iter().map(|case| (&first, case)).chain(gateway.iter().map(|case| (&second, case)));
    join_all(all.map(|(scene, case)| meanwhile(scene, case, at_once))).await;
}
