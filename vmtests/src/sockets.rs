//! Acts on sockets.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::act::Act;

/// Connections to a unix socket of our own.
pub struct UnixConnect {
    listener: UnixListener,
    path: PathBuf,
}

impl UnixConnect {
    /// Listens under the name.
    pub fn new(path: &Path) -> Result<Self> {
        // Left by an earlier run; that it is missing is what is wanted.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).with_context(|| format!("listening at {}", path.display()))?;
        Ok(UnixConnect { listener, path: path.to_path_buf() })
    }
}

impl Act for UnixConnect {
    fn once(&mut self) -> Result<()> {
        // Nobody else listens, so the connection that is taken is this one: both ends close here.
        let _near = UnixStream::connect(&self.path).context("connecting")?;
        let _far = self.listener.accept().context("taking the connection")?;
        Ok(())
    }
}

/// A UDP socket that is connected again and again.
pub struct UdpConnect {
    socket: UdpSocket,
    to: SocketAddr,
}

impl UdpConnect {
    /// The discard port of the loopback; nothing is sent.
    pub fn new() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("making a UDP socket")?;
        Ok(UdpConnect { socket, to: (Ipv4Addr::LOCALHOST, 9).into() })
    }
}

impl Act for UdpConnect {
    fn once(&mut self) -> Result<()> {
        self.socket.connect(self.to).context("connecting to 127.0.0.1:9/udp")
    }
}
