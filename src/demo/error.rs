//! What can go wrong with the demo.

/// What can go wrong with the shop, or with putting it on Docker.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A socket or a file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A peer that is not `name:port`.
    #[error("`{0}` is not `name:port`")]
    Address(String),
    /// The name server's settings make no sense.
    #[error("name look-up: {0}")]
    Names(#[from] hickory_resolver::net::NetError),
    /// The HTTP client could not be made.
    #[error("http client: {0}")]
    Client(#[from] reqwest::Error),
    /// Its cryptography could not be set up.
    #[error("tls: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The container engine.
    #[error(transparent)]
    Engine(#[from] crate::container::ContainerError),
    /// The part that was asked answered something else than 2xx.
    #[error("not healthy: {0}")]
    Unhealthy(String),
}
