//! Asks the daemon, over its socket.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::waiting::Waiting;
use crate::api::Failure;
use crate::paths::SOCKET;
use crate::{BAD_INPUT, CANNOT, FINDING, GOOD};

/// A daemon that works says something within this time, also under emulation on a busy machine.
const SIGN: Duration = Duration::from_secs(20);

/// A good answer.
pub(super) struct Answer {
    pub(super) text: String,
}

/// Why there is no good answer, or why nobody wants it any more.
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

impl From<std::io::Error> for Trouble {
    /// Of the output. Whoever closed it has seen enough, which is no trouble.
    fn from(error: std::io::Error) -> Trouble {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Trouble { status: GOOD, lines: Vec::new() },
            _ => Trouble::new(CANNOT, format!("the answer cannot be written: {error}")),
        }
    }
}

/// The daemon's socket.
pub(super) fn socket() -> PathBuf {
    let given = std::env::var_os("BARTIZAN_SOCKET").filter(|path| !path.is_empty());
    given.map_or_else(|| PathBuf::from(SOCKET), PathBuf::from)
}

/// Whether a daemon that can be asked says nothing, though what it is asked needs nothing but itself.
pub(super) fn daemon_hangs() -> Result<bool, Trouble> {
    let _waiting = Waiting::until("waiting for a sign of bartizand");
    runtime()?.block_on(async {
        let asked = tokio::time::timeout(SIGN, exchange(Method::GET, "/openapi.json", Vec::new()));
        Ok(asked.await.is_err())
    })
}

/// Whether there is a daemon to ask; no permission to do so is trouble.
pub(super) fn daemon_answers() -> Result<bool, Trouble> {
    match std::os::unix::net::UnixStream::connect(socket()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(unreachable(&error)),
        Err(_) => Ok(false),
    }
}

/// Sends one request and waits for the answer, however long the kernel takes.
pub(super) fn ask(method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, Trouble> {
    let _waiting = Waiting::until("waiting for bartizand");
    runtime()?.block_on(answer(method, path, body))
}

/// The same for so long; nothing when the time is over.
pub(super) fn ask_within(time: Duration, method: Method, path: &str, body: Vec<u8>) -> Result<Option<Answer>, Trouble> {
    let _waiting = Waiting::until("waiting for bartizand");
    runtime()?.block_on(async { tokio::time::timeout(time, answer(method, path, Some(body))).await.ok().transpose() })
}

async fn answer(method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, Trouble> {
    let response = exchange(method, path, body.unwrap_or_default()).await?;
    let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    Ok(Answer { text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Hands on what the daemon tells as it happens, as Server-Sent Events, until the daemon ends that or `take` wants no more.
pub(super) fn listen(path: &str, mut take: impl FnMut(&str) -> Result<(), Trouble>) -> Result<(), Trouble> {
    runtime()?.block_on(async {
        let mut body = exchange(Method::GET, path, Vec::new()).await?.into_body();
        let mut waiting = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            waiting.extend_from_slice(&data);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                if let Some(data) = String::from_utf8_lossy(&line).trim_end().strip_prefix("data: ") {
                    take(data)?;
                }
            }
        }
        Ok(())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Trouble::new(CANNOT, error.to_string()))
}

fn broken(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(CANNOT, format!("{}: {error}", socket().display()))
}

/// The head of a good answer; the body of any other is read for what it says.
async fn exchange(method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, Trouble> {
    let stream = UnixStream::connect(socket()).await.map_err(|error| unreachable(&error))?;
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
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    Err(refusal(status, String::from_utf8_lossy(&bytes).into_owned()))
}

fn unreachable(error: &std::io::Error) -> Trouble {
    let socket = socket();
    let socket = socket.display();
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        let group = crate::api::GROUP;
        let line = format!(
            "no permission for {socket}: be root, or a member of group {group} (`usermod -aG {group} NAME`, and log in anew)"
        );
        return Trouble::new(CANNOT, line);
    }
    let without = super::switching::without_answer();
    let (state, then) = if nix::unistd::geteuid().is_root() && refuses_programs() {
        ("and this machine cannot enforce", "`bartizan doctor` says why, and what to do about it".to_owned())
    } else {
        ("start it with `systemctl start bartizand`", "`journalctl -u bartizand` says why it ended".to_owned())
    };
    Trouble {
        status: CANNOT,
        lines: vec![format!("bartizand does not run ({socket}: {error}); {without}; {state}"), then],
    }
}

/// Whether this kernel takes no LSM programs, or none from this user. It is asked once: that takes a while.
pub(super) fn refuses_programs() -> bool {
    static REFUSES: OnceLock<bool> = OnceLock::new();
    *REFUSES.get_or_init(|| bpf::load::probe().is_err_and(|error| error.is_final()))
}

fn refusal(status: StatusCode, text: String) -> Trouble {
    let lines = serde_json::from_str::<Failure>(&text).map_or_else(|_| vec![text], |failure| failure.problems);
    let code = match status {
        StatusCode::FORBIDDEN => FINDING,
        // What was asked for is wrong, too large, or not there.
        _ if status.is_client_error() => BAD_INPUT,
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
