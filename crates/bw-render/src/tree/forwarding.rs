//! Implementations of a trait that only pass the call on to what a type wraps: `<Pin<P> as Stream>::poll_next`.

/// Traits that are polled or called on the way to what is awaited.
const TRAITS: &[&str] = &[
    "AsyncBufRead",
    "AsyncRead",
    "AsyncSeek",
    "AsyncWrite",
    "Body",
    "FusedFuture",
    "FusedStream",
    "Future",
    "IntoFuture",
    "Read",
    "Service",
    "Sink",
    "Stream",
    "TryFuture",
    "TryStream",
    "Write",
];

/// Traits that are implemented for whatever has another one, by passing on.
const BLANKET: &[&str] = &["IntoFuture", "TryFuture", "TryStream"];

/// Types of libraries that say less than what they wrap: pointers, erased types, and adapters that add nothing to wait for.
const WRAPPERS: &[&str] = &[
    "AssertUnwindSafe",
    "BodyDataStream",
    "Box",
    "BoxBody",
    "BoxCloneService",
    "BoxCloneSyncService",
    "BoxService",
    "Either",
    "Fuse",
    "Instrumented",
    "MapErr",
    "MapFrame",
    "MaybeDone",
    "Pin",
    "ReusableBoxFuture",
    "StreamBody",
    "SyncFuture",
    "SyncWrapper",
    "TokioIo",
    "TryMaybeDone",
    "UnsyncBoxBody",
    "WithDispatch",
];

/// A type that has one more thing to wait for than what it wraps. As a future it is shown around that; as anything else it is not.
const TIMEOUT: &str = "Timeout";

/// `axum::body::Body` is a box of a body, whatever its name says.
const BOXED_BODY: &str = "axum_core::body::Body";

/// Whether a function of a library is the implementation of such a trait for such a type, for a reference, or
/// for all types. Takes the path of the function.
pub(crate) fn is_forwarding(path: &str) -> bool {
    let Some((of, by)) = type_and_trait(path) else { return false };
    let name = last_segment(by);
    if !TRAITS.contains(&name) {
        return false;
    }
    let is_reference = of.starts_with('&');
    let is_parameter = !of.is_empty() && of.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let wrapper = last_segment(of);
    is_reference
        || (is_parameter && BLANKET.contains(&name))
        || WRAPPERS.contains(&wrapper)
        || (wrapper == TIMEOUT && name != "Future")
        || (of == BOXED_BODY && name == "Body")
}

/// The two parts of `<Type as Trait>::method`, or of what is inside of it: a closure.
pub(crate) fn type_and_trait(path: &str) -> Option<(&str, &str)> {
    let inside = path.strip_prefix('<')?;
    let (mut depth, mut by) = (0_usize, None);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            // `->` closes nothing.
            b'>' if at > 0 && inside.as_bytes()[at - 1] == b'-' => {}
            b'>' if depth == 0 => {
                let by: usize = by?;
                return Some((&inside[..by], &inside[by + " as ".len()..at]));
            }
            b'>' => depth -= 1,
            b' ' if depth == 0 && by.is_none() && inside[at..].starts_with(" as ") => by = Some(at),
            _ => {}
        }
    }
    None
}

/// The name of a type or trait without its path and its generic arguments.
fn last_segment(path: &str) -> &str {
    let path = path.split_once('<').map_or(path, |(before, _)| before);
    path.trim_end_matches("::").rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanket_impls_on_wrappers_are_forwarding() {
        for path in [
            "<core::pin::Pin<P> as futures_core::stream::Stream>::poll_next",
            "<alloc::boxed::Box<S> as futures_core::stream::Stream>::poll_next",
            "<&mut S as futures_core::stream::Stream>::poll_next",
            "<S as futures_core::stream::TryStream>::try_poll_next",
            "<F as futures_core::future::TryFuture>::try_poll",
            "<core::pin::Pin<P> as tokio::io::async_read::AsyncRead>::poll_read",
            "<core::pin::Pin<P> as futures_sink::Sink<Item>>::poll_ready",
            "<alloc::boxed::Box<T> as futures_io::if_std::AsyncWrite>::poll_write",
            "<futures_util::future::either::Either<A,B> as core::future::future::Future>::poll",
            "<tokio_util::either::Either<L,R> as tokio::io::async_read::AsyncRead>::poll_read",
            "<tracing::instrument::Instrumented<T> as core::future::future::Future>::poll",
            "<tower::timeout::Timeout<S> as tower_service::Service<Request>>::poll_ready",
            "<alloc::boxed::Box<S> as tower_service::Service<Request>>::call",
            "<futures_util::stream::stream::fuse::Fuse<S> as futures_core::stream::Stream>::poll_next",
            "<futures_util::future::maybe_done::MaybeDone<Fut> as core::future::future::Future>::poll",
            "<http_body_util::combinators::box_body::BoxBody<D,E> as http_body::Body>::poll_frame",
            "<axum_core::body::Body as http_body::Body>::poll_frame",
            "<axum_core::body::BodyDataStream as futures_core::stream::Stream>::poll_next",
            "<axum_core::body::StreamBody<S> as http_body::Body>::poll_frame",
            "<http_body_util::combinators::map_err::MapErr<B,F> as http_body::Body>::poll_frame",
            "<tokio_util::sync::reusable_box::ReusableBoxFuture<T> as core::future::future::Future>::poll",
            "<core::pin::Pin<P> as futures_core::stream::Stream>::poll_next::{{closure}}",
        ] {
            assert!(is_forwarding(path), "{path}");
        }
    }

    #[test]
    fn what_is_awaited_is_not_forwarding() {
        for path in [
            "<futures_channel::mpsc::Receiver<T> as futures_core::stream::Stream>::poll_next",
            "<tokio::sync::notify::Notified as core::future::future::Future>::poll",
            "<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll",
            "<hyper::body::incoming::Incoming as http_body::Body>::poll_frame",
            "<tower::buffer::service::Buffer<Req,F> as tower_service::Service<Req>>::poll_ready",
            "<core::pin::Pin<P> as app::Other>::poll",
            "<alloc::boxed::Box<T> as core::ops::drop::Drop>::drop",
            "tokio::sync::mutex::Mutex<T>::lock::{{closure}}",
            // A default method of the trait.
            "<T as tokio::io::AsyncRead>::read::{{closure}}",
            "<",
            "<a as ",
            "<fn() -> é as é::Stream>",
        ] {
            assert!(!is_forwarding(path), "{path}");
        }
    }
}
