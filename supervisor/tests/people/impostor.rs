//! Something else than the daemon behind the socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

/// Answers every request like this, after a pause; the socket is gone with the directory.
pub(crate) fn impostor(answer: &'static str, pause: Duration) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("api.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            std::thread::sleep(pause);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (place, socket)
}
