//! Syslog, RFC 5424: datagrams (RFC 5426), or a stream with octet counting (RFC 6587, 3.4.1).
//!
//! Syslog has no answer: what a receiver had in its buffers when it went is not delivered again.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

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

/// A record as a message.
fn message(record: &Record, host: &str) -> String {
    let priority = FACILITY * 8 + Severity::of(record).syslog();
    let (time, process, kind) = (&record.time, std::process::id(), record.kind.name());
    let structure = structure(record);
    // Without the mark, text beyond ASCII has no known encoding.
    let mark = if record.message.is_ascii() { "" } else { "\u{feff}" };
    format!("<{priority}>1 {time} {host} bartizan {process} {kind} {structure} {mark}{}", record.message)
}

fn structure(record: &Record) -> String {
    let numbers = [
        ("id", Some(record.id)),
        ("count", Some(record.count)),
        ("repeats", record.repeats),
        ("pid", record.pid.map(u64::from)),
        ("uid", record.uid.map(u64::from)),
        ("login_uid", record.login_uid.map(u64::from)),
        ("session", record.session.map(u64::from)),
        ("revision", record.revision),
        ("inode", record.inode),
        ("cpu", record.sequence.map(|one| u64::from(one.cpu))),
        ("sequence", record.sequence.map(|one| one.number)),
    ];
    let techniques: Vec<&str> = record.techniques.iter().map(|one| one.id.as_str()).collect();
    let techniques = techniques.join(" ");
    let ancestors: Vec<String> = record.ancestors.iter().map(|one| format!("{}:{}", one.pid, one.comm)).collect();
    let ancestors = ancestors.join(" ");
    let texts = [
        ("service", record.service.as_deref()),
        ("capability", record.capability.as_deref()),
        ("access", record.access.map(policy::access::Access::name)),
        ("verdict", record.verdict.as_deref()),
        ("path", record.path.as_deref()),
        ("exe", record.exe.as_deref()),
        ("rule", record.rule.as_deref()),
        ("start", record.start.as_deref()),
        ("command", record.command.as_deref()),
        ("container", record.container.as_deref()),
        ("device", record.device.as_deref()),
        ("ancestors", Some(ancestors.as_str()).filter(|text| !text.is_empty())),
        ("techniques", Some(techniques.as_str()).filter(|text| !text.is_empty())),
    ];
    // Writing to a text cannot fail.
    let mut told = format!("[{STRUCTURE}");
    for (name, number) in numbers {
        if let Some(number) = number {
            let _ = write!(told, " {name}=\"{number}\"");
        }
    }
    for (name, text) in texts {
        if let Some(text) = text {
            let _ = write!(told, " {name}=\"{}\"", quoted(text));
        }
    }
    if let Some(to) = &record.destination {
        let (address, port, protocol) = (quoted(&to.address), to.port, quoted(&to.protocol));
        let _ = write!(told, " address=\"{address}\" port=\"{port}\" protocol=\"{protocol}\"");
    }
    told.push(']');
    told
}

/// RFC 5424, 6.3.3.
fn quoted(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | b']')) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | ']') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe.into()
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
}

impl Udp {
    pub(super) fn new(to: &str) -> Udp {
        Udp { to: to.to_owned(), socket: None }
    }

    fn socket(&mut self) -> Result<&UdpSocket, String> {
        if self.socket.is_none() {
            let told = |error: std::io::Error| format!("{}: {error}", self.to);
            let to = self.to.to_socket_addrs().map_err(told)?.next();
            let to = to.ok_or_else(|| format!("{}: the name has no address", self.to))?;
            let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(from).map_err(told)?;
            socket.connect(to).map_err(told)?;
            self.socket = Some(socket);
        }
        self.socket.as_ref().ok_or_else(|| "there is no socket".to_owned())
    }
}

impl Sink for Udp {
    fn deliver(&mut self, records: &[&Written]) -> Result<u64, Failure> {
        let host = host();
        let mut refused = 0;
        for (taken, Written { record, .. }) in records.iter().copied().enumerate() {
            let sent = match self.socket() {
                Ok(socket) => socket.send(message(record, &host).as_bytes()),
                Err(why) => return Err(Failure { taken, why }),
            };
            match sent {
                Ok(_) => {}
                // No datagram is as long.
                Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EMSGSIZE as i32) => refused += 1,
                Err(error) => {
                    self.socket = None;
                    return Err(Failure { taken, why: format!("{}: {error}", self.to) });
                }
            }
        }
        Ok(refused)
    }
}

/// A stream.
pub(super) struct Tcp {
    to: String,
    stream: Option<TcpStream>,
}

impl Tcp {
    pub(super) fn new(to: &str) -> Tcp {
        Tcp { to: to.to_owned(), stream: None }
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
        let host = host();
        let (mut frames, mut ends) = (Vec::new(), Vec::new());
        for record in records {
            let text = message(record, &host);
            frames.extend_from_slice(format!("{} {text}", text.len()).as_bytes());
            ends.push(frames.len());
        }
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
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn a_record_becomes_a_message() {
        let record = Record {
            time: "2026-11-28T12:00:00.500Z".to_owned(),
            id: 7,
            service: Some("web".to_owned()),
            path: Some("/a \"b]\\c".to_owned()),
            verdict: Some("deny".to_owned()),
            command: Some("web \"x\"".to_owned()),
            ..Record::plain(Kind::Capability, "Service web did it".to_owned())
        };
        let process = std::process::id();
        let wanted = format!(
            "<108>1 2026-11-28T12:00:00.500Z here bartizan {process} capability [bartizan@32473 id=\"7\" count=\"1\" \
             service=\"web\" verdict=\"deny\" path=\"/a \\\"b\\]\\\\c\" command=\"web \\\"x\\\"\"] Service web did it"
        );
        assert_eq!(message(&record, "here"), wanted);
        let beyond = Record { message: "é".to_owned(), ..record };
        assert!(message(&beyond, "here").ends_with("] \u{feff}é"));
    }
}
