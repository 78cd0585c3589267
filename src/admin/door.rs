//! Who is let in? A bounded number of connections, each for a bounded time: whoever comes when all places are taken has
//! the one that was let in first leave.

use axum::serve::Listener;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Connections at a time.
const PLACES: usize = 64;
/// From being let in to the end of the answer.
const STAY: Duration = Duration::from_secs(30);

/// A listener that knows who is inside.
pub(super) struct Door {
    listener: TcpListener,
    inside: VecDeque<oneshot::Sender<()>>,
}

impl Door {
    pub(super) const fn before(listener: TcpListener) -> Self {
        Self { listener, inside: VecDeque::new() }
    }
}

impl Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.inside.retain(|place| !place.is_closed());
        if self.inside.len() >= PLACES {
            // Who is told to leave by this is gone at once.
            self.inside.pop_front();
        }
        let (place, told) = oneshot::channel();
        self.inside.push_back(place);
        let end = async {
            let _over = tokio::time::timeout(STAY, told).await;
        };
        (Visitor { stream, end: Box::pin(end), is_over: false }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time.
pub(super) struct Visitor {
    stream: TcpStream,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

impl Visitor {
    /// The stream, until the end.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        self.is_over = self.is_over || self.end.as_mut().poll(context).is_ready();
        if self.is_over { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Pin::new(&mut self.stream)) }
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_shutdown(context)
    }
}
