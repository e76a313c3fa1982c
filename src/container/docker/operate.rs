//! Doing one operation. Nothing is asked before it; what "it was so already" looks like is known by operation.

use super::{BOUND, Docker, errors::told};
use crate::{
    container::{Attachment, ContainerError, Health, Op, OpOutcome, State},
    units::Span,
};
use bollard::{
    exec::StartExecResults,
    models::{EndpointIpamConfig, EndpointSettings, ExecConfig, NetworkConnectRequest, NetworkDisconnectRequest},
    query_parameters::{KillContainerOptionsBuilder, RestartContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use futures_util::StreamExt;
use std::{future::Future, time::Duration};

/// How much of a command's output is kept, in bytes.
const OUTPUT_KEPT: usize = 4096;
/// How long a command in a container may take beyond [`BOUND`].
const COMMAND_TIME: Duration = Duration::from_secs(20);
/// How long the engine lets a container end by itself unless told otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// How long an engine may take to notice that what it had lost sight of is gone.
const ORPHANS_GO: Duration = Duration::from_secs(3);
/// How often health, and the like, is looked at.
const STEP: Duration = Duration::from_millis(50);

impl Docker {
    pub(super) async fn operate(&self, id: &str, op: Op) -> Result<OpOutcome, ContainerError> {
        match op {
            Op::Kill { signal } => self.kill(id, &signal).await,
            Op::Stop { grace } => self.stop(id, grace).await,
            Op::Start => self.start(id).await,
            Op::Restart { grace } => self.restart(id, grace).await,
            Op::Pause => self.pause(id).await,
            Op::Unpause => self.unpause(id).await,
            Op::Disconnect { network } => self.disconnect(id, &network).await,
            Op::Connect { network, attachment } => self.connect_network(id, &network, *attachment).await,
            Op::Exec { command, user } => self.exec(id, command, user).await,
            Op::Begin { work } => self.begin(id, work).await,
            Op::End { work } => self.end(id, work).await,
            Op::Packets(_) => {
                Err(ContainerError::Conflict("packets are changed by an agent, not by the engine".into()))
            }
            Op::FreePackets { owner } => self.remove_agents(&owner).await,
            Op::AwaitHealthy { within } => self.await_healthy(id, within).await,
        }
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<OpOutcome, ContainerError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        already(self.ask(self.client.kill_container(id, Some(options))).await, "is not running")
    }

    async fn stop(&self, id: &str, grace: Option<Span>) -> Result<OpOutcome, ContainerError> {
        let mut options = StopContainerOptionsBuilder::new();
        if let Some(grace) = grace {
            options = options.t(seconds(grace));
        }
        let call = self.client.stop_container(id, Some(options.build()));
        self.with_grace(id, grace, call).await.map(|()| OpOutcome::Done)
    }

    async fn restart(&self, id: &str, grace: Option<Span>) -> Result<OpOutcome, ContainerError> {
        let mut options = RestartContainerOptionsBuilder::new();
        if let Some(grace) = grace {
            options = options.t(seconds(grace));
        }
        let call = self.client.restart_container(id, Some(options.build()));
        self.with_grace(id, grace, call).await.map(|()| OpOutcome::Done)
    }

    /// A start is always an undo, where the record counts more than five milliseconds: the library does not
    /// tell 204 (started) from 304 (it ran), so the state is looked at first. The start is sent in any case.
    async fn start(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let before = tokio::time::timeout(Duration::from_secs(1), self.look(id)).await;
        let ran = matches!(before, Ok(Ok(container)) if container.state == State::Running);
        match self.ask(self.client.start_container(id, None)).await {
            Ok(()) if ran => Ok(OpOutcome::Already),
            Ok(()) => Ok(OpOutcome::Done),
            Err(error) if is_orphaned(&error) => self.start_anew(id).await,
            Err(error) => Err(error),
        }
    }

    /// Once more, when what the engine has lost sight of is gone.
    async fn start_anew(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let seen = self.end_orphans(id).await?;
        let until = tokio::time::Instant::now() + ORPHANS_GO;
        loop {
            match self.ask(self.client.start_container(id, None)).await {
                Err(error) if is_orphaned(&error) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(STEP).await;
                }
                answer => return answer.map(|()| OpOutcome::Seen(seen)),
            }
        }
    }

    async fn disconnect(&self, id: &str, network: &str) -> Result<OpOutcome, ContainerError> {
        let request = NetworkDisconnectRequest { container: id.into(), force: Some(false) };
        already(self.ask(self.client.disconnect_network(network, request)).await, "is not connected")
    }

    async fn connect_network(
        &self,
        id: &str,
        network: &str,
        attachment: Attachment,
    ) -> Result<OpOutcome, ContainerError> {
        let request = NetworkConnectRequest { container: id.into(), endpoint_config: Some(endpoint(attachment)) };
        already(self.ask(self.client.connect_network(network, request)).await, "already exists in network")
    }

    async fn exec(&self, id: &str, command: Vec<String>, user: Option<String>) -> Result<OpOutcome, ContainerError> {
        let config = ExecConfig {
            cmd: Some(command),
            user,
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        self.bounded(COMMAND_TIME, self.run(id, config)).await
    }

    async fn run(&self, id: &str, config: ExecConfig) -> Result<OpOutcome, bollard::errors::Error> {
        let exec = self.client.create_exec(id, config).await?.id;
        let mut kept = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = self.client.start_exec(&exec, None).await? {
            while let Some(piece) = output.next().await {
                let piece = piece?.into_bytes();
                let room = OUTPUT_KEPT.saturating_sub(kept.len());
                kept.extend_from_slice(&piece[..piece.len().min(room)]);
            }
        }
        let code = self.exit_code(&exec).await?;
        Ok(OpOutcome::Exited { code, output: String::from_utf8_lossy(&kept).into_owned() })
    }

    /// The output may end a moment before the engine knows the exit code.
    async fn exit_code(&self, exec: &str) -> Result<i64, bollard::errors::Error> {
        loop {
            let state = self.client.inspect_exec(exec).await?;
            match state.exit_code {
                Some(code) if state.running != Some(true) => return Ok(code),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn await_healthy(&self, id: &str, within: Span) -> Result<OpOutcome, ContainerError> {
        let deadline = tokio::time::Instant::now() + within.0;
        loop {
            let container = self.look(id).await?;
            let good = container.state == State::Running && container.health.is_none_or(|h| h == Health::Healthy);
            if good {
                return Ok(OpOutcome::Done);
            }
            if tokio::time::Instant::now() >= deadline {
                let state = container.health.map_or(container.state.name(), Health::name);
                return Err(ContainerError::Conflict(format!(
                    "{} is {state}, not healthy, after {within}",
                    container.name
                )));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Sends a stop at once; the container's own grace, where it bounds the wait, is asked for meanwhile.
    async fn with_grace(
        &self,
        id: &str,
        grace: Option<Span>,
        call: impl Future<Output = Result<(), bollard::errors::Error>>,
    ) -> Result<(), ContainerError> {
        let started = tokio::time::Instant::now();
        tokio::pin!(call);
        let own = match grace {
            Some(grace) => grace.0,
            None => tokio::select! {
                biased;
                answer = &mut call => return answer.map_err(|e| told(e, &self.info.address)),
                own = self.own_grace(id) => own,
            },
        };
        let limit = own + BOUND;
        let answer = tokio::time::timeout_at(started + limit, call).await;
        answer.map_err(|_| ContainerError::Unknown(Span(limit)))?.map_err(|e| told(e, &self.info.address))
    }

    async fn own_grace(&self, id: &str) -> Duration {
        let asked = tokio::time::timeout(BOUND, self.client.inspect_container(id, None)).await;
        let configured = asked.ok().and_then(Result::ok).and_then(|answer| answer.config?.stop_timeout);
        configured.and_then(|s| u64::try_from(s).ok()).map_or(DEFAULT_GRACE, Duration::from_secs)
    }
}

/// Whether the engine died while it was starting the container, and cannot start it now for what it lost sight of.
fn is_orphaned(error: &ContainerError) -> bool {
    let says = |message: &str| message.contains("task ") && message.contains("already exists");
    matches!(error, ContainerError::Refused { message, .. } | ContainerError::Conflict(message) if says(message))
}

/// The engine takes whole seconds; part of one counts as one.
fn seconds(span: Span) -> i32 {
    i32::try_from(span.0.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i32::MAX)
}

/// Takes a refusal that says so for "it was so already".
pub(super) fn already(answer: Result<(), ContainerError>, says: &str) -> Result<OpOutcome, ContainerError> {
    match answer {
        Ok(()) => Ok(OpOutcome::Done),
        Err(ContainerError::Conflict(message) | ContainerError::Refused { message, .. })
            if message.to_lowercase().contains(says) =>
        {
            Ok(OpOutcome::Already)
        }
        Err(error) => Err(error),
    }
}

/// Without the MAC address: the engine derives it from the address, and one that is asked for stays for ever.
fn endpoint(attachment: Attachment) -> EndpointSettings {
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    let ipam = EndpointIpamConfig {
        ipv4_address: attachment.static_ipv4,
        ipv6_address: attachment.static_ipv6,
        link_local_ips: some(attachment.link_local),
    };
    EndpointSettings {
        ipam_config: Some(ipam).filter(|ipam| *ipam != EndpointIpamConfig::default()),
        aliases: some(attachment.aliases),
        links: some(attachment.links),
        driver_opts: Some(attachment.driver_opts.into_iter().collect())
            .filter(|o: &std::collections::HashMap<_, _>| !o.is_empty()),
        gw_priority: attachment.priority,
        ..EndpointSettings::default()
    }
}
