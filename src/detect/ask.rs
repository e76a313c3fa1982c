//! Asking an alert source: one question, bounded in time and size, never repeated by itself.

use super::{Body, ReadError, Reading, Settings, alertmanager, prometheus};
use crate::{
    clock::{At, RunClock},
    event::AlertSource,
    load::{Env, Template, tls},
};
use reqwest::{Client, RequestBuilder, Response, header::DATE};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How large an answer may be, in bytes.
const LARGEST: usize = 8 << 20;

/// What answers.
#[derive(Clone)]
pub enum Source {
    /// The server that the settings name.
    Real,
    /// A function of the moment, for tests: it answers at once.
    Sim(Arc<dyn Fn(At) -> Result<Reading, ReadError> + Send + Sync>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Source::Real) { "Real" } else { "Sim" })
    }
}

/// Someone who can be asked.
pub struct Ask {
    settings: Settings,
    way: Way,
}

enum Way {
    Http { client: Client, url: String, token: Option<String> },
    Sim(Arc<dyn Fn(At) -> Result<Reading, ReadError> + Send + Sync>),
}

impl Ask {
    /// Makes everything ready; nothing is asked yet.
    ///
    /// # Errors
    /// The token is not in the environment, or the machine cannot speak TLS.
    pub fn new(settings: Settings, source: &Source, env: &Env) -> Result<Ask, String> {
        let way = match source {
            Source::Sim(answer) => Way::Sim(Arc::clone(answer)),
            Source::Real => {
                let fill = |token: &String| Template::compile(token, "", env).map_err(|unset| unset.to_string());
                let token = settings.token.as_ref().map(fill).transpose()?;
                let path = match settings.source {
                    AlertSource::Prometheus => prometheus::path(),
                    AlertSource::Alertmanager => alertmanager::path(),
                };
                Way::Http {
                    client: client(settings.insecure)?,
                    url: format!("{}/{path}", settings.url.trim_end_matches('/')),
                    token: token.map(|token| token.fill(0).into_owned()),
                }
            }
        };
        Ok(Ask { settings, way })
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why nothing is known of the alerts now.
    pub async fn ask(&self, clock: &RunClock) -> Result<Reading, ReadError> {
        match &self.way {
            Way::Sim(answer) => answer(clock.now()),
            Way::Http { client, url, token } => {
                let request = client.get(url);
                let request = match token {
                    Some(token) => request.bearer_auth(token),
                    None => request,
                };
                let sent = clock.now();
                let Body { clock_ns, alerts } = self.answer(request).await?.only(&self.settings.labels)?;
                Ok(Reading { sent, answered: clock.now(), clock_ns, alerts })
            }
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Body, ReadError> {
        let answer = request.send().await.map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        let body = whole(answer).await?;
        match (status, self.settings.source) {
            // Prometheus says in its answer what it does not like about a query.
            (200 | 400 | 422 | 503, AlertSource::Prometheus) => match prometheus::read(&body) {
                Err(ReadError::Rubbish(_)) if status != 200 && body.first() != Some(&b'{') => Err(refused(status)),
                read => read,
            },
            (200, AlertSource::Alertmanager) => alertmanager::read(&body, date.as_deref()),
            (status, _) => Err(refused(status)),
        }
    }
}

fn client(insecure: bool) -> Result<Client, String> {
    // A proxy would see the token, and a redirect may lead anywhere.
    let builder = Client::builder()
        .tls_backend_preconfigured(tls::config(insecure)?)
        .no_proxy()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .user_agent(concat!("firedrill/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|error| error.to_string())
}

async fn whole(mut answer: Response) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > LARGEST {
            return Err(ReadError::TooLarge(LARGEST));
        }
    }
    Ok(body)
}

fn refused(status: u16) -> ReadError {
    let hint = match status {
        401 | 403 => "; is `token` right?",
        404 => "; is `url` right, and is it this kind of source?",
        300..=399 => ", elsewhere; write the address that it leads to",
        _ => "",
    };
    ReadError::Status(status, hint)
}

/// The innermost cause says most; the address is known.
fn unreachable(error: &reqwest::Error) -> ReadError {
    if error.is_timeout() {
        return ReadError::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()));
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ReadError::Unreachable(cause.to_string())
}
