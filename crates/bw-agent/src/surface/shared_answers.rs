//! Equal requests at one time: they share one answer.
//!
//! Six operators who ask a sick process for the same dump have its tasks polled once, and none of them waits for the five before it.

use std::sync::{Arc, Weak};

use hyper::Uri;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::answer::{Answer, Refusal};

/// The requests that have no answer yet. A request that comes while an equal one is answered gets the same answer.
#[derive(Default)]
pub(crate) struct SharedAnswers {
    pending: Mutex<Vec<Weak<Pending>>>,
}

/// What equal requests wait for. Each of them holds it.
struct Pending {
    uri: Uri,
    answer: OnceCell<Result<Answer, Refusal>>,
}

impl SharedAnswers {
    /// Returns the answer to the request that is pending, or makes it. Requests are equal if their paths and parameters are the same
    /// text.
    ///
    /// If the requester whose future makes the answer goes away, the next one of those who wait makes it anew.
    pub(crate) async fn get(
        &self,
        uri: &Uri,
        make: impl Future<Output = Result<Answer, Refusal>>,
    ) -> Result<Answer, Refusal> {
        let pending = self.pending(uri);
        pending.answer.get_or_init(|| make).await.clone()
    }

    /// Finds or adds what requests of this URI wait for. One that has its answer is over: what is asked later is newer.
    fn pending(&self, uri: &Uri) -> Arc<Pending> {
        let mut all = self.pending.lock();
        let mut found = None;
        all.retain(|pending| {
            let Some(pending) = pending.upgrade().filter(|pending| !pending.answer.initialized()) else {
                return false;
            };
            if pending.uri == *uri {
                found = Some(pending);
            }
            true
        });
        found.unwrap_or_else(|| {
            let pending = Arc::new(Pending { uri: uri.clone(), answer: OnceCell::new() });
            all.push(Arc::downgrade(&pending));
            pending
        })
    }
}

impl std::fmt::Debug for SharedAnswers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedAnswers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn refused(message: &str) -> Result<Answer, Refusal> {
        Err(Refusal::busy(message))
    }

    fn message(answer: Poll<Result<Answer, Refusal>>) -> Option<String> {
        match answer {
            Poll::Ready(answer) => Some(answer.err().unwrap().to_string()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn equal_requests_share_an_answer_until_there_is_one() {
        let shared = SharedAnswers::default();
        let (uri, other) = (Uri::from_static("/dump?a"), Uri::from_static("/dump?b"));
        let mut cx = Context::from_waker(Waker::noop());
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let mut first = pin!(shared.get(&uri, async {
            let _ = receiver.await;
            refused("first")
        }));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        let mut second = pin!(shared.get(&uri, ready(refused("second"))));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        let mut another = pin!(shared.get(&other, ready(refused("another"))));
        assert_eq!(message(another.as_mut().poll(&mut cx)).as_deref(), Some("another"));
        sender.send(()).unwrap();
        assert_eq!(message(first.as_mut().poll(&mut cx)).as_deref(), Some("first"));
        // It comes after the answer, while others still hold it.
        let mut third = pin!(shared.get(&uri, ready(refused("third"))));
        assert_eq!(message(third.as_mut().poll(&mut cx)).as_deref(), Some("third"));
        assert_eq!(message(second.as_mut().poll(&mut cx)).as_deref(), Some("first"));
    }

    #[test]
    fn who_waits_goes_on_for_one_that_goes_away() {
        let shared = SharedAnswers::default();
        let uri = Uri::from_static("/dump");
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = Box::pin(shared.get(&uri, pending()));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        let mut second = pin!(shared.get(&uri, ready(refused("second"))));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert_eq!(message(second.as_mut().poll(&mut cx)).as_deref(), Some("second"));
        assert_eq!(shared.pending(&uri).uri, uri);
        assert_eq!(shared.pending.lock().len(), 1, "what is over is forgotten");
    }
}
