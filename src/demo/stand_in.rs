//! A server to be hurt: what the tests put into containers. Answers `200 ok` on every path, in a way that a
//! script can spoil, and says on stdout when it was frozen, by its own monotonic clock. `/resolve/NAME` answers with the
//! addresses of a name, or with 502 and why there are none; `/resolve-once/NAME` keeps what it found for ever;
//! `/metrics` is what Prometheus scrapes.

use super::names::Names;
use crate::units::Span;
use axum::{Router, extract::Path, http::StatusCode, routing::get};
use std::{io::Write, str::FromStr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::Instant};

/// How it answers from some moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Manner {
    /// At once, well.
    Ok,
    /// At once, with 500.
    Errors,
    /// One in so many with 500, the others well.
    OneIn(u64),
    /// Well, after so long.
    Slow(Duration),
}

/// Manners by time since the start of the process: `0s:ok,3s:errors,5s:ok`; also `one-in-200` and `slow-80ms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Script(Vec<(Duration, Manner)>);

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Script, String> {
        let part = |part: &str| -> Option<(Duration, Manner)> {
            let (from, manner) = part.split_once(':')?;
            let manner = match manner {
                "ok" => Manner::Ok,
                "errors" => Manner::Errors,
                other => match other.strip_prefix("one-in-") {
                    Some(n) => Manner::OneIn(n.parse().ok().filter(|n| *n > 0)?),
                    None => Manner::Slow(other.strip_prefix("slow-")?.parse::<Span>().ok()?.0),
                },
            };
            Some((from.parse::<Span>().ok()?.0, manner))
        };
        text.split(',').map(part).collect::<Option<_>>().map(Script).ok_or_else(|| format!("`{text}` is no script"))
    }
}

impl Script {
    fn at(&self, since: Duration) -> Manner {
        self.0.iter().rev().find(|(from, _)| *from <= since).map_or(Manner::Ok, |(_, manner)| *manner)
    }
}

/// Serves until it is dropped.
pub async fn serve(port: u16, script: Script) -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    let (started, script) = (Instant::now(), Arc::new(script));
    let count = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let answer = move || {
        let (script, count) = (Arc::clone(&script), Arc::clone(&count));
        async move {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match script.at(started.elapsed()) {
                Manner::Ok => (StatusCode::OK, "ok"),
                Manner::OneIn(share) if n % share != share - 1 => (StatusCode::OK, "ok"),
                Manner::Errors | Manner::OneIn(_) => (StatusCode::INTERNAL_SERVER_ERROR, "as the script says"),
                Manner::Slow(by) => {
                    tokio::time::sleep(by).await;
                    (StatusCode::OK, "ok")
                }
            }
        }
    };
    let metrics = get(|| async { "stand_in_up 1\n" });
    axum::serve(listener, names().route("/metrics", metrics).fallback(answer)).await
}

fn names() -> Router {
    let names = Arc::new(Names::new());
    let again = Arc::clone(&names);
    let told = |found| match found {
        Ok(addresses) => (StatusCode::OK, addresses),
        Err(why) => (StatusCode::BAD_GATEWAY, why),
    };
    Router::new()
        .route("/resolve/{name}", get(async move |Path(name): Path<String>| told(names.look_up(&name).await)))
        .route("/resolve-once/{name}", get(async move |Path(name): Path<String>| told(again.look_up_once(&name).await)))
}

/// Prints `frozen FROM TO` (nanoseconds of CLOCK_MONOTONIC) whenever more than 100 ms passed between two looks
/// one millisecond apart, each moment being the last look before and the first after. Belongs on the thread that
/// serves: after a thaw, threads of one process were seen to come to the processor 15 ms apart.
pub async fn stamp_freezes() {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    };
    let mut last = now();
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let this = now();
        if this - last > 100_000_000 {
            let _ = writeln!(std::io::stdout().lock(), "frozen {last} {this}");
        }
        last = this;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_how_to_answer_when() {
        let script: Script = "0s:ok,3s:errors,5s:one-in-200,9s:slow-80ms".parse().unwrap();
        let at = |s| script.at(Duration::from_secs(s));
        assert_eq!([at(0), at(3), at(6)], [Manner::Ok, Manner::Errors, Manner::OneIn(200)]);
        assert_eq!(at(10), Manner::Slow(Duration::from_millis(80)));
        assert!("3s:maybe".parse::<Script>().is_err());
        assert!("0s:one-in-0".parse::<Script>().is_err());
    }
}
