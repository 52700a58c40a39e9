//! Accepts connections and serves them, on the agent's thread, within its bounds.

use std::convert::Infallible;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access;
#[cfg(unix)]
use crate::os::{self, fork_guard::NotInChildren};
use crate::settings::{ConnectionBounds, Token};
use crate::surface::{self, AnswerBody, Surface};

/// How long nothing is accepted when that failed, as it does while the process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// A TCP listener. What stands before the listener is dropped before it.
pub(crate) struct Tcp {
    pub(crate) address: SocketAddr,
    #[cfg(unix)]
    #[allow(dead_code)] // Is there to be dropped.
    pub(crate) not_in_children: NotInChildren,
    pub(crate) listener: TcpListener,
}

/// A unix socket that listens. What stands before the listener is dropped before it.
#[cfg(unix)]
pub(crate) struct Unix {
    #[allow(dead_code)] // Is there to be dropped.
    pub(crate) not_in_children: NotInChildren,
    pub(crate) listener: UnixListener,
}

/// Bounds how many connections are open at once.
struct ConnectionSlots(Arc<Semaphore>);

impl ConnectionSlots {
    fn new(bounds: ConnectionBounds) -> Self {
        Self(Arc::new(Semaphore::new(bounds.connections)))
    }

    /// Waits for one.
    async fn next(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

#[cfg(unix)]
pub(crate) async fn on_unix(unix: Unix, surface: Arc<Surface>, bounds: ConnectionBounds) {
    let slots = ConnectionSlots::new(bounds);
    while let Some(place) = slots.next().await {
        match unix.listener.accept().await {
            Ok((stream, _)) if may_ask(&stream) => {
                let not_in_children = NotInChildren::new(stream.as_fd());
                let surface = Arc::clone(&surface);
                let answer = move |request| respond(Arc::clone(&surface), request);
                tokio::spawn(serve(not_in_children, stream, answer, bounds, place));
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// This user and root. The rights of the file say the same, but its folder may be one that the user chose, and descriptors can
/// be handed on.
#[cfg(unix)]
fn may_ask(stream: &UnixStream) -> bool {
    let user = os::user_id();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == user || peer.uid() == 0)
}

pub(crate) async fn on_tcp(tcp: Tcp, token: Option<Token>, surface: Arc<Surface>, bounds: ConnectionBounds) {
    let slots = ConnectionSlots::new(bounds);
    while let Some(place) = slots.next().await {
        match tcp.listener.accept().await {
            Ok((stream, _)) => {
                #[cfg(unix)]
                let not_in_children = NotInChildren::new(stream.as_fd());
                #[cfg(not(unix))]
                let not_in_children = ();
                let (surface, token) = (Arc::clone(&surface), token.clone());
                let answer = move |request| respond_to_network(Arc::clone(&surface), token.clone(), request);
                tokio::spawn(serve(not_in_children, stream, answer, bounds, place));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

type Responded = Result<Response<AnswerBody>, Infallible>;

async fn respond(surface: Arc<Surface>, request: Request<Incoming>) -> Responded {
    Ok(surface::respond(&surface, request.method(), request.uri()).await)
}

async fn respond_to_network(
    surface: Arc<Surface>,
    token: Option<Token>,
    request: Request<Incoming>,
) -> Responded {
    match access::refuse(token.as_ref(), &request) {
        Some(refused) => Ok(refused),
        None => respond(surface, request).await,
    }
}

/// One request, and its answer. Then the connection is closed: how long one may live says how long an answer may take.
async fn serve<N, F>(
    not_in_children: N,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(Request<Incoming>) -> F,
    bounds: ConnectionBounds,
    place: OwnedSemaphorePermit,
) where
    F: Future<Output = Responded>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.headers)
        .max_buf_size(ConnectionBounds::HEADER_BYTES)
        .max_headers(ConnectionBounds::HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let connection = pin!(tokio::time::timeout(bounds.connection, connection));
    // Dropped in the reverse order: the number is taken from the list before the descriptor is closed with the connection, also
    // where this is broken off.
    let _place = place;
    let _not_in_children = not_in_children;
    // What went wrong with it is the client's to know.
    let _ = connection.await;
}
