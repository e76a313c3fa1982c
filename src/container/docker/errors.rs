//! What bollard says went wrong, as a [`ContainerError`].

use crate::{container::ContainerError, units::Span};
use bollard::errors::Error;

/// Translates an error of a call to the engine at `address`.
pub(super) fn told(error: Error, address: &str) -> ContainerError {
    match error {
        Error::DockerResponseServerError { status_code, message } => answered(status_code, message),
        Error::RequestTimeoutError => ContainerError::Unknown(Span(super::BOUND)),
        Error::SocketNotFoundError(path) => unreachable(address, format!("there is no socket {path}")),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
            ContainerError::Refused { status: 200, message: format!("an answer that cannot be read: {error}") }
        }
        other => unreachable(address, root(&other)),
    }
}

fn answered(status: u16, message: String) -> ContainerError {
    let message = message.trim().to_owned();
    match status {
        404 => ContainerError::NotFound { what: missing(&message) },
        409 => ContainerError::Conflict(message),
        _ => ContainerError::Refused { status, message },
    }
}

/// `No such container: 1f2e` and `network shop not found` name the thing that is missing.
fn missing(message: &str) -> String {
    let plain = message.strip_prefix("No such ").or_else(|| message.strip_prefix("no such "));
    let plain = plain.or_else(|| message.strip_suffix(" not found")).unwrap_or(message);
    plain.replacen(": ", " ", 1)
}

fn unreachable(address: &str, detail: String) -> ContainerError {
    ContainerError::Unreachable { address: address.into(), detail }
}

/// The innermost cause: what the system said, without the layers above it.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine_says(status_code: u16, message: &str) -> String {
        let error = Error::DockerResponseServerError { status_code, message: message.into() };
        told(error, "unix:///var/run/docker.sock").to_string()
    }

    #[test]
    fn an_error_is_told_in_the_words_of_the_engine() {
        assert_eq!(engine_says(404, "No such container: 1f2e\n"), "no such container 1f2e");
        assert_eq!(engine_says(404, "network shop not found"), "no such network shop");
        assert_eq!(engine_says(409, "name is taken"), "name is taken");
        assert_eq!(engine_says(500, "oops"), "the engine answered 500: oops");
    }
}
