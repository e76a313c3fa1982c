//! The proxy before the replicas: checks them, leaves out the ill one, tries again where that is safe.
//!
//! Safe means: the request never left (the connection could not be made), or it changes nothing (GET). A
//! checkout that broke half-way is answered with an error: the order may or may not have been placed.

use super::{
    DemoError,
    peer::{Peer, client},
    serve::{listen, say},
};
use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const CHECK_EVERY: Duration = Duration::from_millis(500);
/// How long a check may take.
const CHECK_ANSWER: Duration = Duration::from_millis(300);
/// So many checks in a row change the mind of the front.
const FALL: u32 = 3;
const RISE: u32 = 2;
/// How long a replica may take to accept a connection, and to answer a customer.
const CONNECT: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_millis(800);
/// Bytes of a request's body.
const LARGEST: usize = 64 * 1024;

struct Replica {
    peer: Peer,
    standing: Mutex<Standing>,
}

/// What the checks say of a replica.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    in_use: bool,
    /// Checks in a row that say otherwise.
    against: u32,
}

impl Standing {
    /// True if this check changed whether the replica is used.
    fn learn(&mut self, well: bool) -> bool {
        self.against = if well == self.in_use { 0 } else { self.against + 1 };
        let changed = self.against >= if self.in_use { FALL } else { RISE };
        if changed {
            *self = Standing { in_use: well, against: 0 };
        }
        changed
    }
}

struct Front {
    replicas: Vec<Replica>,
    turn: AtomicUsize,
    client: reqwest::Client,
    checker: reqwest::Client,
}

/// Serves until asked to end.
pub async fn run(apis: &[String], port: u16) -> Result<(), DemoError> {
    let replica = |text: &String| Ok(Replica { peer: Peer::new(text)?, standing: Mutex::default() });
    let front = Arc::new(Front {
        replicas: apis.iter().map(replica).collect::<Result<_, DemoError>>()?,
        turn: AtomicUsize::new(0),
        client: client(CONNECT, ANSWER)?,
        checker: client(CHECK_ANSWER, CHECK_ANSWER)?,
    });
    for number in 0..front.replicas.len() {
        let front = front.clone();
        tokio::spawn(async move { front.watch(number).await });
    }
    let router =
        Router::new().route("/healthz", get(healthz)).route("/status", get(status)).fallback(forward).with_state(front);
    listen("front", router, port).await
}

/// Healthy once there is somebody to hand a request to.
async fn healthz(State(front): State<Arc<Front>>) -> (StatusCode, &'static str) {
    match front.replicas.iter().any(Replica::in_use) {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "no replica\n"),
    }
}

async fn status(State(front): State<Arc<Front>>) -> Json<BTreeMap<String, bool>> {
    Json(front.replicas.iter().map(|replica| (replica.peer.name().to_owned(), replica.in_use())).collect())
}

async fn forward(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let kind = head.headers.get(CONTENT_TYPE).cloned();
    let order = front.order();
    let mut answer = (StatusCode::SERVICE_UNAVAILABLE, "no replica\n").into_response();
    for replica in order {
        let Some(address) = replica.peer.address() else { continue };
        let mut request = front.client.request(head.method.clone(), format!("http://{address}{}", head.uri));
        if let Some(kind) = &kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        match relay(request.body(body.clone())).await {
            Ok(good) => return good,
            Err(error) => {
                answer = (if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY })
                    .into_response();
                if !(error.is_connect() || head.method == Method::GET) {
                    break;
                }
            }
        }
    }
    answer
}

async fn relay(request: reqwest::RequestBuilder) -> Result<Response, reqwest::Error> {
    let answer = request.send().await?;
    let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let body: Bytes = answer.bytes().await?;
    let mut response = (status, body).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(response)
}

impl Replica {
    fn in_use(&self) -> bool {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).in_use
    }

    fn learn(&self, well: bool) {
        let changed = self.standing.lock().unwrap_or_else(PoisonError::into_inner).learn(well);
        let name = self.peer.name();
        match (changed, well) {
            (true, true) => say(&format!("front: {name} answered {RISE} checks in a row and is used")),
            (true, false) => say(&format!("front: {name} missed {FALL} checks in a row and is left out")),
            (false, _) => {}
        }
    }
}

impl Front {
    /// The replicas in use, the next one first, the one to fall back on second. If the checks leave none, every
    /// one is tried: then the checks are as likely to be wrong as the replicas are to be ill.
    fn order(&self) -> Vec<&Replica> {
        let mut used: Vec<&Replica> = self.replicas.iter().filter(|replica| replica.in_use()).collect();
        if used.is_empty() {
            used = self.replicas.iter().collect();
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % used.len().max(1);
        used.rotate_left(turn);
        used.truncate(2);
        used
    }

    /// Checks one replica for ever, at its current address.
    async fn watch(&self, number: usize) {
        let replica = &self.replicas[number];
        let mut tick = tokio::time::interval(CHECK_EVERY);
        loop {
            tick.tick().await;
            replica.peer.look_up().await;
            replica.learn(self.check(replica).await);
        }
    }

    async fn check(&self, replica: &Replica) -> bool {
        let Some(address) = replica.peer.address() else { return false };
        let answer = self.checker.get(format!("http://{address}/healthz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(standing: &mut Standing, checks: &[bool]) -> Vec<bool> {
        checks.iter().map(|&well| standing.learn(well)).collect()
    }

    #[test]
    fn a_replica_is_used_after_two_good_checks_and_left_out_after_three_bad_ones() {
        let mut standing = Standing::default();
        assert_eq!(learn(&mut standing, &[true, false, true, true]), [false, false, false, true]);
        assert!(standing.in_use);
        assert_eq!(
            learn(&mut standing, &[false, false, true, false, false, false]),
            [false, false, false, false, false, true]
        );
        assert!(!standing.in_use);
    }
}
