//! How many large Secrets arrive at once? Few: whoever writes Secrets chooses their size, and dozens of visits read them.
//! What is small passes whatever is large.

use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use http::{Method, Request, Response};
use hyper::body::{Body as Reply, Bytes, Frame, Incoming, SizeHint};
use kube::client::Body;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower::Service;

/// So many bytes of each, or the first piece if that is larger, arrive in any case.
const SMALL: usize = 16 << 10;
/// Of those that are larger so many arrive at a time.
const AT_ONCE: usize = 4;

/// Requests, of whose answers the large Secrets arrive a few at a time.
#[derive(Clone)]
pub(super) struct Pace<S> {
    inner: S,
    large: Arc<Semaphore>,
}

impl<S> Pace<S> {
    pub(super) fn before(inner: S) -> Self {
        Self { inner, large: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl<S> Service<Request<Body>> for Pace<S>
where
    S: Service<Request<Body>, Response = Response<Incoming>>,
    S::Future: Send + 'static,
{
    type Response = Response<Paced<Incoming>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let large = reads_a_secret(&request).then(|| Arc::clone(&self.large));
        let paced = move |response: Response<Incoming>| response.map(|body| Paced::new(body, large));
        self.inner.call(request).map_ok(paced).boxed()
    }
}

/// One, and not its metadata alone; of lists and watches there is one a namespace.
fn reads_a_secret(request: &Request<Body>) -> bool {
    let kind = request.uri().path().rsplit('/').nth(1);
    *request.method() == Method::GET && kind == Some("secrets")
}

/// An answer of which the larger part waits for its turn.
pub(super) struct Paced<B> {
    body: B,
    large: Option<PollSemaphore>,
    arrived: usize,
    turn: Option<OwnedSemaphorePermit>,
}

impl<B> Paced<B> {
    fn new(body: B, large: Option<Arc<Semaphore>>) -> Self {
        Self { body, large: large.map(PollSemaphore::new), arrived: 0, turn: None }
    }
}

impl<B: Reply<Data = Bytes> + Unpin> Reply for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.arrived > SMALL
            && this.turn.is_none()
            && let Some(large) = &mut this.large
        {
            this.turn = ready!(large.poll_acquire(context));
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            this.arrived = this.arrived.saturating_add(data.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// So many pieces of half of what arrives in any case.
    struct Pieces(usize);

    impl Reply for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let left = &mut self.get_mut().0;
            let Some(less) = left.checked_sub(1) else { return Poll::Ready(None) };
            *left = less;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; SMALL / 2])))))
        }
    }

    /// How many pieces arrive now.
    fn arrive(body: &mut Paced<Pieces>, at_most: usize) -> usize {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let next = |_: &usize| matches!(Pin::new(&mut *body).poll_frame(&mut context), Poll::Ready(Some(_)));
        (0..at_most).take_while(next).count()
    }

    #[test]
    fn few_large_secrets_arrive_at_once_and_small_ones_pass_them() {
        let large = Arc::new(Semaphore::new(AT_ONCE));
        let secret = |pieces| Paced::new(Pieces(pieces), Some(Arc::clone(&large)));
        let mut first: Vec<_> = (0..AT_ONCE).map(|_| secret(100)).collect();
        assert!(first.iter_mut().all(|body| arrive(body, 10) == 10), "these are under way");
        let mut next = secret(100);
        assert_eq!(arrive(&mut next, 100), 3, "it waits with its beginning");
        assert_eq!(arrive(&mut secret(2), 100), 2, "what is small does not wait");
        assert_eq!(arrive(&mut Paced::new(Pieces(100), None), 100), 100, "nor does what is no Secret");
        first.pop();
        assert_eq!(arrive(&mut next, 100), 97, "now it is its turn");
    }

    #[test]
    fn only_single_secrets_wait() {
        let asked = |method: Method, path: &str| {
            reads_a_secret(&Request::builder().method(method).uri(path).body(Body::empty()).expect("a request"))
        };
        assert!(asked(Method::GET, "/api/v1/namespaces/data/secrets/erp"));
        for path in ["/api/v1/secrets?watch=true", "/api/v1/namespaces/data/secrets?watch=true", "/apis/x/y/erp"] {
            assert!(!asked(Method::GET, path), "{path}");
        }
        assert!(!asked(Method::PUT, "/api/v1/namespaces/data/secrets/erp"));
    }
}
