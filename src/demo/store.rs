//! The store: orders by name, in memory, the oldest forgotten first.

use super::{DemoError, serve::listen};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::get,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Bounds memory at half of what the container may use: an order was measured to take 1.3 kB.
const ROOM: usize = 20_000;
/// Bytes; an order is a hundred.
const LARGEST: usize = 4096;

#[derive(Default)]
struct Orders {
    by_name: HashMap<String, Bytes>,
    in_order: VecDeque<String>,
}

impl Orders {
    /// True if the name is new. Writing it again changes nothing but the content: orders may be sent twice.
    fn put(&mut self, name: String, order: Bytes) -> bool {
        let new = self.by_name.insert(name.clone(), order).is_none();
        if new {
            self.in_order.push_back(name);
        }
        while self.in_order.len() > ROOM {
            self.in_order.pop_front().and_then(|oldest| self.by_name.remove(&oldest));
        }
        new
    }
}

type Shared = Arc<Mutex<Orders>>;

fn lock(orders: &Shared) -> std::sync::MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until asked to end.
pub async fn run(port: u16) -> Result<(), DemoError> {
    listen("store", router(), port).await
}

fn router() -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/orders", get(count))
        .route("/orders/{name}", get(read).put(write))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Shared::default())
}

async fn count(State(orders): State<Shared>) -> String {
    format!("{}\n", lock(&orders).by_name.len())
}

async fn read(State(orders): State<Shared>, Path(name): Path<String>) -> Result<Bytes, StatusCode> {
    lock(&orders).by_name.get(&name).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn write(State(orders): State<Shared>, Path(name): Path<String>, order: Bytes) -> StatusCode {
    // Copied: what came off the network is a slice of a whole read buffer, and would keep all of it alive.
    let new = lock(&orders).put(name, Bytes::copy_from_slice(&order));
    if new { StatusCode::CREATED } else { StatusCode::OK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_sent_twice_is_one_order() {
        let mut orders = Orders::default();
        assert!(orders.put("1".into(), Bytes::from_static(b"a")));
        assert!(!orders.put("1".into(), Bytes::from_static(b"b")));
        assert_eq!(orders.by_name.len(), 1);
        assert_eq!(orders.by_name["1"], Bytes::from_static(b"b"));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut orders = Orders::default();
        for number in 0..=ROOM {
            orders.put(number.to_string(), Bytes::new());
        }
        assert_eq!(orders.by_name.len(), ROOM);
        assert!(!orders.by_name.contains_key("0"));
        assert!(orders.by_name.contains_key("1"));
    }
}
