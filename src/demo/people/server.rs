//! Takes connections, records each call, and carries out what is scripted for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::calls::Call;
use super::script::{Answer, Reply};
use super::slack::Afterwards;
use super::{Shared, grafana, now, pagerduty, receivers, slack, statuspage};
use crate::clock::{Clock, SystemClock};

/// Far above what any of the systems takes.
const MAX_BODY_BYTES: usize = 8 << 20;

/// After a connection that could not be accepted: too many are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to be reset")]
struct ToBeReset;

/// Accepts connections until it is dropped, and its connections with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let routes = Router::new()
        .merge(slack::routes())
        .merge(pagerduty::routes())
        .merge(statuspage::routes())
        .merge(grafana::routes())
        .merge(receivers::routes())
        .with_state(Arc::clone(&shared));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, routes.clone(), Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, routes: Router, shared: Arc<Shared>) {
    // A second handle on the socket: hyper keeps the first to itself, and a reset is made of the last.
    let Some((stream, twin)) = twin(stream) else { return };
    let afterwards = Afterwards::default();
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(afterwards.clone());
        answer(request, routes.clone(), Arc::clone(&shared))
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    let error = served
        .err()
        .and_then(|error| std::error::Error::source(&error).map(<dyn std::error::Error>::is::<ToBeReset>));
    if error == Some(true) {
        // Closing with nothing to linger for sends RST instead of FIN.
        let _gone_already = twin.set_zero_linger();
    }
    drop(twin);
    afterwards.run().await;
}

fn twin(stream: TcpStream) -> Option<(TcpStream, TcpStream)> {
    let stream = stream.into_std().ok()?;
    let twin = stream.try_clone().ok()?;
    Some((TcpStream::from_std(stream).ok()?, TcpStream::from_std(twin).ok()?))
}

async fn answer(
    request: hyper::Request<Incoming>,
    routes: Router,
    shared: Arc<Shared>,
) -> Result<Response, ToBeReset> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let body = body.to_bytes();
    let (number, scripted) = record(&shared, &head, &body);
    let Answer { reply, is_handled, delay } = scripted;
    let own = match is_handled {
        // Routes can't fail.
        true => routes.oneshot(Request::from_parts(head, Body::from(body))).await.ok(),
        false => None,
    };
    tokio::time::sleep(delay).await;
    let response = match reply {
        Reply::AsUsual => own.unwrap_or_default(),
        Reply::Canned { status, headers, body } => canned(status, headers, body),
        Reply::Hang => std::future::pending().await,
        Reply::Reset => return Err(ToBeReset),
    };
    let status = response.status().as_u16();
    shared.change(|world| {
        if let Some(call) = world.calls.get_mut(number) {
            call.status = Some(status);
        }
    });
    Ok(response)
}

fn record(shared: &Shared, head: &axum::http::request::Parts, body: &Bytes) -> (usize, Answer) {
    let call = Call {
        at: now(),
        moment: SystemClock.moment(),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: body.clone(),
        status: None,
    };
    shared.change(|world| {
        let answer = world.script.take(&call.method, &call.path);
        world.calls.push(call);
        (world.calls.len() - 1, answer)
    })
}

fn canned(status: u16, headers: Vec<(String, String)>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
