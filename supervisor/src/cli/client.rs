//! Asks the daemon, over its socket.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::api::Failure;
use crate::paths::SOCKET;
use crate::{BAD_INPUT, CANNOT, FINDING};

/// A good answer.
pub(super) struct Answer {
    pub(super) text: String,
}

/// Why there is no good answer.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) status: u8,
    pub(crate) lines: Vec<String>,
}

impl Trouble {
    pub(crate) fn new(status: u8, line: impl Into<String>) -> Trouble {
        Trouble { status, lines: vec![line.into()] }
    }
}

/// Whether there is a daemon to ask; no permission to do so is trouble.
pub(super) fn daemon_answers() -> Result<bool, Trouble> {
    match std::os::unix::net::UnixStream::connect(SOCKET) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(unreachable(&error)),
        Err(_) => Ok(false),
    }
}

/// Sends one request and waits for the answer, however long the kernel takes.
pub(super) fn ask(method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(CANNOT, error.to_string()))?;
    runtime.block_on(exchange(method, path, body.unwrap_or_default()))
}

async fn exchange(method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Trouble> {
    let stream = UnixStream::connect(SOCKET).await.map_err(|error| unreachable(&error))?;
    let broken = |error: &dyn std::fmt::Display| Trouble::new(CANNOT, format!("{SOCKET}: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "bartizan")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.is_success() { Ok(Answer { text }) } else { Err(refusal(status, text)) }
}

fn unreachable(error: &std::io::Error) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Trouble::new(
            CANNOT,
            format!("no permission for {SOCKET}: be root, or a member of group {}", crate::api::GROUP),
        ),
        _ => Trouble::new(
            CANNOT,
            format!(
                "bartizand does not run ({SOCKET}: {error}); {}. Start it with `systemctl start bartizand`",
                super::switching::without_answer()
            ),
        ),
    }
}

fn refusal(status: StatusCode, text: String) -> Trouble {
    let lines = serde_json::from_str::<Failure>(&text).map_or_else(|_| vec![text], |failure| failure.problems);
    let code = match status {
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => BAD_INPUT,
        StatusCode::FORBIDDEN => FINDING,
        _ => CANNOT,
    };
    Trouble { status: code, lines }
}

/// A service's name in a path of the API.
pub(super) fn encode(name: &str) -> String {
    name.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~@".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_survive_the_path() {
        assert_eq!(super::encode("getty@tty1.service"), "getty@tty1.service");
        assert_eq!(super::encode("a/b c"), "a%2Fb%20c");
    }
}
