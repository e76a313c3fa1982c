//! A replica of the shop's logic: the catalogue from memory, a checkout that ends in the store.

use super::{
    DemoError,
    peer::{Peer, client},
    serve::{listen, say},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// What a checkout takes before anything is written: prices, tax, stock.
const WORK: Duration = Duration::from_millis(4);
/// How long the store may take to accept a connection, and to answer.
const STORE_CONNECT: Duration = Duration::from_millis(200);
const STORE_ANSWER: Duration = Duration::from_millis(400);

struct Api {
    store: Peer,
    client: reqwest::Client,
    /// Milliseconds added to every request.
    slow: AtomicU64,
    orders: AtomicU64,
    host: String,
}

/// What a customer sends. The order's name makes it safe to send twice.
#[derive(Deserialize)]
struct Basket {
    sku: String,
    order: Option<String>,
}

/// What a customer gets, and what the store keeps.
#[derive(Serialize)]
struct Order {
    order: String,
    sku: String,
    served_by: String,
}

/// Serves until asked to end.
pub async fn run(store: &str, port: u16, control: u16) -> Result<(), DemoError> {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned();
    let api = Arc::new(Api {
        store: Peer::new(store)?,
        client: client(STORE_CONNECT, STORE_ANSWER)?,
        slow: AtomicU64::new(0),
        orders: AtomicU64::new(0),
        host,
    });
    let follow = api.clone();
    tokio::spawn(async move { follow.store.follow(Duration::from_secs(1)).await });
    let controls = Router::new().route("/slow/{ms}", post(set_slow)).with_state(api.clone());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, control)).await?;
    tokio::spawn(async move { axum::serve(listener, controls).await });
    listen("api", router(api), port).await
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        // Only about itself: a replica that calls itself ill when the store is ill takes the catalogue down too.
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/products", get(products))
        .route("/checkout", post(checkout))
        .with_state(api)
}

async fn set_slow(State(api): State<Arc<Api>>, Path(ms): Path<u64>) -> StatusCode {
    api.slow.store(ms, Ordering::Relaxed);
    say(&format!("api: every request takes {ms} ms longer"));
    StatusCode::NO_CONTENT
}

async fn slowed(api: &Api, work: Duration) {
    tokio::time::sleep(work + Duration::from_millis(api.slow.load(Ordering::Relaxed))).await;
}

async fn products(State(api): State<Arc<Api>>) -> Json<[&'static str; 4]> {
    slowed(&api, Duration::ZERO).await;
    Json(["kettle", "teapot", "cup", "saucer"])
}

async fn checkout(
    State(api): State<Arc<Api>>,
    Json(basket): Json<Basket>,
) -> Result<(StatusCode, Json<Order>), (StatusCode, String)> {
    slowed(&api, WORK).await;
    let name = basket.order.unwrap_or_else(|| format!("{}-{}", api.host, api.orders.fetch_add(1, Ordering::Relaxed)));
    let order = Order { order: name, sku: basket.sku, served_by: api.host.clone() };
    keep(&api, &order).await.map_err(|why| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")))?;
    Ok((StatusCode::CREATED, Json(order)))
}

async fn keep(api: &Api, order: &Order) -> Result<(), String> {
    let address = api.store.address().ok_or("the store is not known yet")?;
    let sent = api.client.put(format!("http://{address}/orders/{}", order.order)).json(order).send().await;
    match sent {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the store answered {}", answer.status())),
        Err(error) if error.is_timeout() => Err("the store did not answer in time".into()),
        Err(_) => Err("the store does not answer".into()),
    }
}
