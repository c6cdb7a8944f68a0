//! The cluster that the environment leads to.

use kube::{Client, Config};

use crate::reach::Way;

/// Why there is no cluster to run on.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    #[error("there is no way to a cluster: give a kubeconfig by KUBECONFIG")]
    NoCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the cluster does not answer")]
    Client(#[from] kube::Error),
}

/// A namespace of a cluster, and how it is spoken to.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) way: Way,
    pub namespace: String,
    /// The address of its API server.
    pub server: String,
}

impl Cluster {
    /// The cluster that this process is in, or that of the kubeconfig; nobody has asked it anything yet. `namespace`
    /// overrides the one that is set there.
    pub async fn find(namespace: Option<&str>) -> Result<Self, KubeError> {
        let (config, way) = config().await?;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let server = config.cluster_url.to_string();
        Ok(Cluster { client: Client::try_from(config)?, way, namespace, server })
    }
}

/// The namespace that the environment leads to, where it leads to any.
pub async fn default_namespace() -> Option<String> {
    Some(config().await.ok()?.0.default_namespace)
}

async fn config() -> Result<(Config, Way), KubeError> {
    // Whoever names another cluster means that one, as with kubectl.
    if std::env::var_os("KUBECONFIG").is_none()
        && let Ok(config) = Config::incluster()
    {
        return Ok((config, Way::Inside));
    }
    let config = Config::infer().await.map_err(|error| KubeError::NoCluster(Box::new(error)))?;
    Ok((config, Way::Outside))
}
