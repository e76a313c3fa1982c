//! Signals that ask a drill to stop.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Stop requests of a process, for one drill after another.
#[derive(Debug, Clone, Default)]
pub struct Stops(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    by: Vec<String>,
    listener: Option<mpsc::UnboundedSender<String>>,
}

impl Stops {
    /// Listens to ctrl-C, SIGTERM and SIGHUP. The third of them calls `give_up`. Inside a tokio runtime.
    ///
    /// # Errors
    /// If the system refuses a signal handler.
    pub fn listen(give_up: impl Fn() + Send + Sync + 'static) -> io::Result<Stops> {
        let stops = Stops::default();
        let give_up = Arc::new(give_up);
        for (kind, name) in [
            (SignalKind::interrupt(), "ctrl-C"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::hangup(), "SIGHUP"),
        ] {
            let (mut signals, stops, give_up) = (signal(kind)?, stops.clone(), Arc::clone(&give_up));
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if stops.ask(name) > 2 {
                        give_up();
                    }
                }
            });
        }
        Ok(stops)
    }

    /// What was asked so far, and whatever comes; the listener before hears no more.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<String> {
        let (tell, stops) = mpsc::unbounded_channel();
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.by.iter().for_each(|by| drop(tell.send(by.clone())));
        asked.listener = Some(tell);
        stops
    }

    /// Whether anybody asked.
    pub fn asked(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).by.is_empty()
    }

    fn ask(&self, by: &str) -> usize {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.by.push(by.to_owned());
        if let Some(listener) = &asked.listener {
            // A drill that has ended listens no more.
            let _ = listener.send(by.to_owned());
        }
        asked.by.len()
    }
}
