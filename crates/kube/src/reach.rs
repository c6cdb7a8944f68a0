//! How a unit's agent is reached: at its pod's address from inside the cluster, by way of the API server from outside.

use std::{io, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::Portforwarder};
use testudo_agent::{
    pod::PORT,
    sealed::{self, Key},
};
use testudo_engine::Duplex;
use tokio::{
    io::{AsyncRead, AsyncWrite, join},
    net::TcpStream,
    time::timeout,
};

/// How long it may take to get through.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which way leads to pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// This process is in the cluster.
    Inside,
    /// A kubeconfig leads here.
    Outside,
}

/// Speaks to the agent of a pod.
pub(crate) async fn reach(
    way: Way,
    client: &Client,
    namespace: &str,
    pod: &Pod,
    key: &Key,
) -> io::Result<Box<dyn Duplex>> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    match way {
        Way::Inside => {
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
            let address = address.ok_or(io::ErrorKind::NotConnected)?;
            let stream = timeout(PATIENCE, TcpStream::connect((address, PORT))).await.map_err(late)??;
            stream.set_nodelay(true)?;
            sealed(stream, key).await
        }
        Way::Outside => {
            let name = pod.metadata.name.as_deref().ok_or(io::ErrorKind::NotConnected)?;
            let pods = Api::<Pod>::namespaced(client.clone(), namespace);
            let forwarding = timeout(PATIENCE, pods.portforward(name, &[PORT])).await.map_err(late)?;
            let mut forwarder = forwarding.map_err(io::Error::other)?;
            let stream = forwarder.take_stream(PORT).ok_or(io::ErrorKind::NotConnected)?;
            sealed(Forwarded { stream, _forwarder: forwarder }, key).await
        }
    }
}

async fn sealed<S>(stream: S, key: &Key) -> io::Result<Box<dyn Duplex>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let dialed = timeout(PATIENCE, sealed::dial(stream, key)).await;
    let (reader, writer) = dialed.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Box::new(join(reader, writer)))
}

/// A forwarded port, with what forwards it.
struct Forwarded<S> {
    stream: S,
    _forwarder: Portforwarder,
}

impl<S: AsyncRead + Unpin> AsyncRead for Forwarded<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Forwarded<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
