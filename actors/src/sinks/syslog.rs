//! Syslog, RFC 5424: datagrams (RFC 5426), or a stream with octet counting (RFC 6587, 3.4.1).
//!
//! Syslog has no answer: what a receiver had in its buffers when it went is not delivered again.

use std::fmt::Display;
use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::output::Output;
use super::severity::Severity;
use super::{Failure, Sink};
use crate::host;
use crate::record::Record;
use crate::written::Written;

/// `log audit`, RFC 5424, 6.2.1.
const FACILITY: u8 = 13;
/// The enterprise number that IANA keeps for documentation (RFC 5612): Bartizan has none of its own.
const STRUCTURE: &str = "bartizan@32473";
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A record as a message, from this process of the host.
fn message(to: &mut Output, record: &Record, host: &str, process: u32) {
    to.raw("<").number(FACILITY * 8 + Severity::of(record).syslog()).raw(">1 ").raw(&record.time).raw(" ").raw(host);
    to.raw(" bartizan ").number(process).raw(" ").raw(record.kind.name()).raw(" [").raw(STRUCTURE);
    numbers(to, record);
    texts(to, record);
    if let Some((first, rest)) = record.ancestors.split_first() {
        to.raw(" ancestors=\"").number(first.pid).raw(":");
        quoted(to, &first.comm);
        for one in rest {
            to.raw(" ").number(one.pid).raw(":");
            quoted(to, &one.comm);
        }
        to.raw("\"");
    }
    if let Some((first, rest)) = record.techniques.split_first() {
        to.raw(" techniques=\"");
        quoted(to, &first.id);
        rest.iter().for_each(|one| quoted(to.raw(" "), &one.id));
        to.raw("\"");
    }
    if let Some(end) = &record.destination {
        text(to, " address=\"", Some(&end.address));
        number(to, " port=\"", Some(end.port));
        text(to, " protocol=\"", Some(&end.protocol));
    }
    // Without the mark, text beyond ASCII has no known encoding.
    to.raw(if record.message.is_ascii() { "] " } else { "] \u{feff}" }).raw(&record.message);
}

fn numbers(to: &mut Output, record: &Record) {
    number(to, " id=\"", Some(record.id));
    number(to, " count=\"", Some(record.count));
    number(to, " repeats=\"", record.repeats);
    number(to, " pid=\"", record.pid);
    number(to, " uid=\"", record.uid);
    number(to, " login_uid=\"", record.login_uid);
    number(to, " session=\"", record.session);
    number(to, " revision=\"", record.revision);
    number(to, " inode=\"", record.inode);
    number(to, " cpu=\"", record.sequence.map(|one| one.cpu));
    number(to, " sequence=\"", record.sequence.map(|one| one.number));
}

fn texts(to: &mut Output, record: &Record) {
    text(to, " service=\"", record.service.as_deref());
    text(to, " capability=\"", record.capability.as_deref());
    text(to, " access=\"", record.access.map(policy::access::Access::name));
    text(to, " verdict=\"", record.verdict.as_deref());
    text(to, " path=\"", record.path.as_deref());
    text(to, " exe=\"", record.exe.as_deref());
    text(to, " rule=\"", record.rule.as_deref());
    text(to, " start=\"", record.start.as_deref());
    text(to, " command=\"", record.command.as_deref());
    text(to, " container=\"", record.container.as_deref());
    text(to, " device=\"", record.device.as_deref());
}

/// A parameter, whose name comes with all that stands before its value.
fn number(to: &mut Output, name: &str, number: Option<impl Display>) {
    if let Some(number) = number {
        to.raw(name).number(number).raw("\"");
    }
}

fn text(to: &mut Output, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        quoted(to.raw(name), text);
        to.raw("\"");
    }
}

/// RFC 5424, 6.3.3.
fn quoted(to: &mut Output, text: &str) {
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | b']');
    if !text.bytes().fold(false, |any, byte| any | special(byte)) {
        to.raw(text);
        return;
    }
    for piece in text.split_inclusive(['"', '\\', ']']) {
        match piece.char_indices().next_back() {
            Some((at, '"' | '\\' | ']')) => {
                let (plain, special) = piece.split_at(at);
                to.raw(plain).raw("\\").raw(special)
            }
            _ => to.raw(piece),
        };
    }
}

/// The name of this host as the header may hold it.
fn host() -> String {
    let name: String = host::name().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// Datagrams.
pub(super) struct Udp {
    to: String,
    socket: Option<UdpSocket>,
    messages: Output,
}

impl Udp {
    pub(super) fn new(to: &str) -> Udp {
        Udp { to: to.to_owned(), socket: None, messages: Output::default() }
    }

    fn socket(&self) -> Result<UdpSocket, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.to);
        let to = self.to.to_socket_addrs().map_err(told)?.next();
        let to = to.ok_or_else(|| format!("{}: the name has no address", self.to))?;
        let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(from).map_err(told)?;
        socket.connect(to).map_err(told)?;
        Ok(socket)
    }

    /// Sends messages, which end at these places: how many of them no datagram holds.
    fn send(&self, socket: &UdpSocket, ends: &[usize]) -> Result<u64, Failure> {
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let pieces = begins.zip(ends).map(|(begin, end)| self.messages.bytes().get(begin..*end).unwrap_or_default());
        let pieces: Vec<[IoSlice<'_>; 1]> = pieces.map(|bytes| [IoSlice::new(bytes)]).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(pieces.len(), None);
        // The socket knows where they go.
        let nowhere = vec![None; pieces.len()];
        let (mut taken, mut refused) = (0, 0);
        while let Some(rest) = pieces.get(taken..).filter(|rest| !rest.is_empty()) {
            match sendmmsg(socket.as_raw_fd(), &mut headers, rest, &nowhere, [], MsgFlags::empty()) {
                Ok(sent) => taken += sent.count(),
                Err(Errno::EINTR) => {}
                Err(Errno::EMSGSIZE) => {
                    taken += 1;
                    refused += 1;
                }
                Err(error) => return Err(Failure { taken, why: format!("{}: {}", self.to, error.desc()) }),
            }
        }
        Ok(refused)
    }
}

impl Sink for Udp {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let socket = self.socket.take().map_or_else(|| self.socket(), Ok).map_err(Failure::of)?;
        let (host, process) = (host(), std::process::id());
        let mut ends = Vec::with_capacity(records.len());
        for one in records {
            message(&mut self.messages, &one.record, &host, process);
            ends.push(self.messages.bytes().len());
        }
        let sent = self.send(&socket, &ends);
        self.messages.clear();
        // After a failure the name is asked for again.
        self.socket = sent.is_ok().then_some(socket);
        sent
    }
}

/// A stream.
pub(super) struct Tcp {
    to: String,
    stream: Option<TcpStream>,
    message: Output,
    frames: Output,
}

impl Tcp {
    pub(super) fn new(to: &str) -> Tcp {
        Tcp { to: to.to_owned(), stream: None, message: Output::default(), frames: Output::default() }
    }

    fn stream(&mut self) -> std::io::Result<&mut TcpStream> {
        // A receiver that has gone said so, and writing once more would succeed.
        if self.stream.as_mut().is_some_and(has_ended) {
            self.stream = None;
        }
        if self.stream.is_none() {
            let mut last = std::io::Error::new(ErrorKind::NotFound, "the name has no address");
            for address in self.to.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(stream) => {
                        stream.set_write_timeout(Some(PATIENCE))?;
                        self.stream = Some(stream);
                        break;
                    }
                    Err(error) => last = error,
                }
            }
            if self.stream.is_none() {
                return Err(last);
            }
        }
        self.stream.as_mut().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Sends frames, which end at these places.
    fn send(&mut self, frames: &[u8], ends: &[usize]) -> Result<(), Failure> {
        let mut written = 0;
        while let Some(rest) = frames.get(written..).filter(|rest| !rest.is_empty()) {
            let error = match self.stream().and_then(|stream| stream.write(rest)) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(more) => {
                    written += more;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            // A frame that was written in part ends with its connection.
            self.stream = None;
            let taken = ends.iter().filter(|end| **end <= written).count();
            return Err(Failure { taken, why: format!("{}: {error}", self.to) });
        }
        Ok(())
    }
}

/// Whether the other side has closed. What it says, if anything, is not for us.
fn has_ended(stream: &mut TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let mut some = [0; 256];
    let ended = loop {
        match stream.read(&mut some) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != ErrorKind::WouldBlock,
        }
    };
    ended || stream.set_nonblocking(false).is_err()
}

impl Sink for Tcp {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let (host, process) = (host(), std::process::id());
        let mut ends = Vec::with_capacity(records.len());
        for one in records {
            self.message.clear();
            message(&mut self.message, &one.record, &host, process);
            let message = self.message.bytes();
            self.frames.number(message.len()).raw(" ").all(message);
            ends.push(self.frames.bytes().len());
        }
        let frames = std::mem::take(&mut self.frames);
        let sent = self.send(frames.bytes(), &ends);
        self.frames = frames;
        self.frames.clear();
        sent.map(|()| 0)
    }
}

#[cfg(test)]
#[path = "syslog/tests.rs"]
mod tests;
