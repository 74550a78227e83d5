//! Between Backstop and the API server: passes requests on, keeps what reached the other side, and fails
//! as the test says.
//!
//! Plain HTTP towards Backstop, so that nothing has to be trusted for it; whoever asks is known by the
//! token, which is passed on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::controlplane::{ControlPlane, token_file};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing arrives; it is answered so.
    Says(u16),
    /// The same with a header `Retry-After`, in seconds.
    Later(u16, u64),
    /// It arrives and is carried out, and answered so nevertheless.
    SaysAfter(u16),
    /// Nothing arrives, and the connection ends.
    Cut,
    /// It arrives, and the connection ends before the answer.
    CutAfter,
    /// Nothing arrives, and no answer comes.
    Hangs,
    /// It arrives, and no answer comes.
    HangsAfter,
    /// It arrives once the test lets it.
    Held(Arc<Hold>),
}

/// A request that has come and waits.
#[derive(Debug)]
pub(crate) struct Hold {
    come: Semaphore,
    let_on: Semaphore,
}

impl Hold {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { come: Semaphore::new(0), let_on: Semaphore::new(0) })
    }

    /// Waits until the request has come.
    pub(crate) async fn has_come(&self) {
        self.come.acquire().await.expect("open").forget();
    }

    /// Lets it, and whatever follows it, pass.
    pub(crate) fn let_on(&self) {
        self.let_on.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn pass(&self) {
        self.come.add_permits(1);
        self.let_on.acquire().await.expect("open").forget();
    }
}

/// Which requests.
#[derive(Clone, Debug)]
pub(crate) struct On {
    /// `""` is any.
    method: &'static str,
    namespace: String,
    /// What the path ends in; `""` is any.
    end: &'static str,
}

impl On {
    pub(crate) fn new(method: &'static str, namespace: &str, end: &'static str) -> Self {
        Self { method, namespace: namespace.to_owned(), end }
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        const SLICES: &str = "/endpointslices";
        // One that is asked for by its generated name is read in place of their list.
        let slices = path.find(&format!("{SLICES}/")).map(|at| &path[..at + SLICES.len()]);
        let path = slices.unwrap_or(path);
        (self.method.is_empty() || self.method == method)
            && path.contains(&format!("/namespaces/{}/", self.namespace))
            && path.ends_with(self.end)
    }
}

/// A request that has come.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What the API server answered; `None`: it was not passed on, or there was no answer.
    pub(crate) status: Option<u16>,
}

#[derive(Debug, Default)]
struct Told {
    /// With how often each is still to happen.
    faults: Vec<(On, Fault, u32)>,
    seen: Vec<Seen>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    told: Mutex<Told>,
}

/// The proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// In front of this control plane, and passing everything on.
    pub(crate) async fn before(cluster: &ControlPlane) -> Self {
        let authority = std::fs::read(cluster.authority()).expect("an authority");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([authority]).build().expect("a client");
        let shared = Arc::new(Shared { upstream: cluster.url(), client, told: Mutex::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _serving: serving }
    }

    /// The way through it for whom that kubeconfig names by a token.
    pub(crate) fn kubeconfig(&self, of: &Path) -> PathBuf {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "tests", "cluster": { "server": format!("http://{}", self.address) } }],
            "users": [{ "name": "tests", "user": { "tokenFile": token_file(of) } }],
            "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": "tests" } }],
            "current-context": "tests",
        });
        let file = of.with_extension("proxied");
        std::fs::write(&file, config.to_string()).expect("written");
        file
    }

    fn told<T>(&self, with: impl FnOnce(&mut Told) -> T) -> T {
        self.shared.told(with)
    }

    /// The next `times` requests like this end so; of several faults that fit the oldest comes first.
    pub(crate) fn fail(&self, on: On, fault: Fault, times: u32) {
        self.told(|told| told.faults.push((on, fault, times)));
    }

    /// Passes everything on again.
    pub(crate) fn mend(&self) {
        self.told(|told| told.faults.clear());
    }

    /// How many faults are still to come for a namespace.
    pub(crate) fn faults_left(&self, namespace: &str) -> u32 {
        self.told(|told| {
            told.faults.iter().filter(|(on, ..)| on.namespace == namespace).map(|(.., left)| left).sum()
        })
    }

    /// What has come so far and fits, oldest first.
    pub(crate) fn seen(&self, on: &On) -> Vec<Seen> {
        self.told(|told| told.seen.iter().filter(|seen| on.fits(&seen.method, &seen.path)).cloned().collect())
    }
}

impl Shared {
    fn told<T>(&self, with: impl FnOnce(&mut Told) -> T) -> T {
        with(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next_fault(&self, method: &str, path: &str) -> Option<Fault> {
        self.told(|told| {
            let mut fitting =
                told.faults.iter_mut().filter(|(on, _, left)| *left > 0 && on.fits(method, path));
            let (_, fault, left) = fitting.next()?;
            *left -= 1;
            Some(fault.clone())
        })
    }

    /// `Err` ends the connection.
    #[expect(clippy::disallowed_methods, reason = "it ends by itself, and who waits for it learns how")]
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let fault = self.next_fault(&method, &path);
        let says = |status: u16| Response::builder().status(status);
        let body = || Full::new(Bytes::from_static(b"a proxy says so"));
        let arrives = !matches!(&fault, Some(Fault::Says(_) | Fault::Later(..) | Fault::Cut | Fault::Hangs));
        if let Some(Fault::Held(hold)) = &fault {
            hold.pass().await;
        }
        let answer = async move {
            let answer = if arrives { self.pass_on(request).await } else { None };
            let status = answer.as_ref().map(|answer| answer.status().as_u16());
            self.told(|told| told.seen.push(Seen { method, path, status }));
            answer
        };
        // A server carries a request out though its caller has given it up, and so it is passed on.
        let answer = tokio::spawn(answer).await.map_err(|_| Cut)?;
        match fault {
            None | Some(Fault::Held(_)) => answer.ok_or(Cut),
            Some(Fault::Says(status) | Fault::SaysAfter(status)) => {
                says(status).body(body()).map_err(|_| Cut)
            }
            Some(Fault::Later(status, seconds)) => {
                says(status).header("retry-after", seconds).body(body()).map_err(|_| Cut)
            }
            Some(Fault::Cut | Fault::CutAfter) => Err(Cut),
            Some(Fault::Hangs | Fault::HangsAfter) => std::future::pending().await,
        }
    }

    /// `None`: the API server did not answer.
    async fn pass_on(&self, request: Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let url = format!("{}{}", self.upstream, parts.uri);
        let mut sent = self.client.request(parts.method, url).body(body);
        for name in ["authorization", "accept", "content-type"] {
            if let Some(value) = parts.headers.get(name) {
                sent = sent.header(name, value);
            }
        }
        let answer = sent.send().await.ok()?;
        let mut response = Response::builder().status(answer.status());
        for name in ["content-type", "retry-after"] {
            if let Some(value) = answer.headers().get(name) {
                response = response.header(name, value);
            }
        }
        response.body(Full::new(answer.bytes().await.ok()?)).ok()
    }
}

/// The end of a connection, as hyper wants it: an error.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| Arc::clone(&shared).answer(request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _it_may_be_cut = connection.await;
}
