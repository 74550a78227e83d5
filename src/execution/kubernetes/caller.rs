//! One call to the API server: bounded in time and size, once, and every failure named.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Error as TransportError;
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster::{Cluster, client_words};
use super::error::{Call, CallError, Verb, Why};
use super::object::{ENDPOINT_SLICE, Kind, Object};
use crate::text::kept;

/// Our name in `managedFields`, by which others see who it was.
pub(super) const FIELD_MANAGER: &str = crate::incident::OWN_MANAGER;

/// An object is at most 1.5 MiB by etcd's limit; a Service with thousands of pods has many slices.
const MAX_ANSWER_BYTES: usize = 16 << 20;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Calls one cluster's API server.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) cluster: Arc<Cluster>,
    /// For one call, its answer included.
    pub(super) timeout: Duration,
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

struct Answered {
    body: Vec<u8>,
    /// What the API server's clock showed.
    date: Option<DateTime<Utc>>,
}

/// What is no object, as a call names it.
const VERSION: Kind = Kind { name: "version", group: "", version: "", plural: "" };

impl Caller {
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        object: &Object,
        subresource: Option<&'static str>,
    ) -> Result<T, CallError> {
        self.get_at(object, subresource, path(object, subresource)).await
    }

    /// The same from the API server's memory, as of this version or later: no answer waits for etcd.
    pub(super) async fn get_since<T: DeserializeOwned>(
        &self,
        object: &Object,
        version: &str,
    ) -> Result<T, CallError> {
        let uri = format!("{}?resourceVersion={version}", path(object, None));
        self.get_at(object, None, uri).await
    }

    async fn get_at<T: DeserializeOwned>(
        &self,
        object: &Object,
        subresource: Option<&'static str>,
        uri: String,
    ) -> Result<T, CallError> {
        let call = Call { verb: Verb::Get, object: object.clone(), subresource };
        self.answer(call, http::Request::get(uri).header("accept", JSON), Vec::new()).await
    }

    /// All EndpointSlices of a Service. Their names are generated, so they are found by label.
    pub(super) async fn endpoint_slices<T: DeserializeOwned>(
        &self,
        namespace: &str,
        service: &str,
    ) -> Result<Vec<T>, CallError> {
        let object = Object::new(ENDPOINT_SLICE, namespace, &format!("of the Service {service}"));
        let path = ENDPOINT_SLICE.path(namespace);
        let path = format!("{path}?labelSelector=kubernetes.io%2Fservice-name%3D{service}");
        let call = Call { verb: Verb::List, object, subresource: None };
        let request = http::Request::get(path).header("accept", JSON);
        let list: List<T> = self.answer(call, request, Vec::new()).await?;
        Ok(list.items)
    }

    /// All objects of a kind in a namespace.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
    ) -> Result<Vec<T>, CallError> {
        let object = Object::new(kind, namespace, &format!("in {namespace}"));
        let call = Call { verb: Verb::List, object, subresource: None };
        let request = http::Request::get(kind.path(namespace)).header("accept", JSON);
        let list: List<T> = self.answer(call, request, Vec::new()).await?;
        Ok(list.items)
    }

    pub(super) async fn merge_patch(
        &self,
        object: &Object,
        subresource: Option<&'static str>,
        patch: &Value,
    ) -> Result<(), CallError> {
        let call = Call { verb: Verb::Patch, object: object.clone(), subresource };
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", path(object, subresource));
        let request = http::Request::patch(uri).header("accept", JSON).header("content-type", MERGE_PATCH);
        self.carried_out(call, request, patch).await
    }

    pub(super) async fn replace(&self, object: &Object, whole: &Value) -> Result<(), CallError> {
        let call = Call { verb: Verb::Update, object: object.clone(), subresource: None };
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", path(object, None));
        let request = http::Request::put(uri).header("accept", JSON).header("content-type", JSON);
        self.carried_out(call, request, whole).await
    }

    /// Creates an object whose name the API server makes up.
    pub(super) async fn create(&self, object: &Object, whole: &Value) -> Result<(), CallError> {
        let call = Call { verb: Verb::Create, object: object.clone(), subresource: None };
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", object.kind.path(&object.namespace));
        let request = http::Request::post(uri).header("accept", JSON).header("content-type", JSON);
        self.carried_out(call, request, whole).await
    }

    /// Asks a question that is put by creating an object, which is stored nowhere.
    pub(super) async fn review<T: DeserializeOwned>(
        &self,
        kind: Kind,
        question: &Value,
    ) -> Result<T, CallError> {
        let call =
            Call { verb: Verb::Create, object: Object::new(kind, "", "of our own"), subresource: None };
        let uri = format!("/apis/{}/{}/{}", kind.group, kind.version, kind.plural);
        let request = http::Request::post(uri).header("accept", JSON).header("content-type", JSON);
        self.answer(call, request, question.to_string().into_bytes()).await
    }

    /// The API server's version, and what its clock shows, to the second.
    pub(super) async fn version(&self) -> Result<(String, Option<DateTime<Utc>>), CallError> {
        let call = Call {
            verb: Verb::Get,
            object: Object::new(VERSION, "", "of the API server"),
            subresource: None,
        };
        let request = http::Request::get("/version").header("accept", JSON);
        let Answered { body, date } = self.exchanged(call.clone(), request, Vec::new()).await?;
        let version: Version = serde_json::from_slice(&body)
            .map_err(|error| CallError { call, why: Why::NotUnderstood(kept(&error.to_string())) })?;
        Ok((kept(&version.git_version), date))
    }

    /// Of a change the status is all that counts: what it led to is read afterwards.
    async fn carried_out(
        &self,
        call: Call,
        request: http::request::Builder,
        body: &Value,
    ) -> Result<(), CallError> {
        self.send(call, request, body.to_string().into_bytes()).await.map(drop)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        call: Call,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<T, CallError> {
        let bytes = self.send(call.clone(), request, body).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| CallError { call, why: Why::NotUnderstood(kept(&error.to_string())) })
    }

    async fn send(
        &self,
        call: Call,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        self.exchanged(call, request, body).await.map(|answered| answered.body)
    }

    async fn exchanged(
        &self,
        call: Call,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Answered, CallError> {
        let sent = match self.cluster.client().await {
            Err(why) => Err(Why::NotReady(why)),
            Ok(client) => tokio::time::timeout(self.timeout, exchange(client, request, body))
                .await
                .unwrap_or(Err(Why::TimedOut(self.timeout))),
        };
        if matches!(sent, Err(Why::Answered { status: 401, .. })) {
            self.cluster.forget_client().await;
        }
        sent.map_err(|why| CallError { call, why })
    }
}

fn path(object: &Object, subresource: Option<&str>) -> String {
    let path = format!("{}/{}", object.kind.path(&object.namespace), object.name);
    subresource.map_or_else(|| path.clone(), |name| format!("{path}/{name}"))
}

async fn exchange(
    client: kube::Client,
    request: http::request::Builder,
    body: Vec<u8>,
) -> Result<Answered, Why> {
    let request = request.body(Body::from(body)).map_err(|error| Why::NotReady(error.to_string()))?;
    let answer = client.send(request).await.map_err(|error| of_transport(&error))?;
    let status = answer.status();
    let date = answer.headers().get(http::header::DATE);
    let date =
        date.and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok()).map(DateTime::from);
    let retry_after = answer.headers().get(http::header::RETRY_AFTER);
    // Kubernetes writes seconds, never a date.
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| Why::Broken(kept(&error.to_string())));
    if status.is_success() {
        return body.map(|body| Answered { body: body.to_bytes().to_vec(), date });
    }
    // Whatever becomes of its text, the status says what happened.
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let text = match serde_json::from_slice::<Status>(&body) {
        Ok(status) if !status.message.is_empty() => status.message,
        _ => String::from_utf8_lossy(&body).into_owned(),
    };
    let retry_after = retry_after.map(Duration::from_secs);
    Err(Why::Answered { status: status.as_u16(), text: kept(&text), retry_after })
}

/// Whether anything can have arrived: without a connection nothing can.
fn of_transport(error: &kube::Error) -> Why {
    let words = client_words(error);
    if matches!(error, kube::Error::Auth(_)) {
        return Why::NotReady(words);
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = match error {
        // The box itself is the transport's error, and not among its own causes.
        kube::Error::Service(inner) => Some(inner.as_ref()),
        other => Some(other),
    };
    while let Some(inner) = cause {
        if inner.downcast_ref::<TransportError>().is_some_and(TransportError::is_connect) {
            return Why::Unreachable(words);
        }
        cause = inner.source();
    }
    Why::Broken(words)
}
