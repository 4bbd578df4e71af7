//! Sinks over HTTP, with and without TLS.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;

use super::*;

/// The body of a request; `None`: it ends before that.
fn body(stream: &mut impl BufRead) -> Option<String> {
    let (mut size, mut line) = (0, String::new());
    while stream.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            size = text.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body).ok()?;
    Some(String::from_utf8(body).unwrap())
}

/// Answers each request with what `answer` makes of its body, as it is.
fn web(mut answer: impl FnMut(&str) -> String + Send + 'static) -> Web {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            if let Some(body) = body(&mut stream) {
                let _ = stream.get_mut().write_all(answer(&body).as_bytes());
            }
        }
    });
    Web { url, ca: None, token: None }
}

fn said(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Ids of what an OTLP receiver took.
fn logged(body: &str) -> Vec<u64> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let logs = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    let id = |log: &serde_json::Value| {
        let attributes = log["attributes"].as_array().unwrap();
        let id = attributes.iter().find(|one| one["key"] == "bartizan.id").unwrap();
        id["value"]["intValue"].as_str().unwrap().parse().unwrap()
    };
    logs.iter().map(id).collect()
}

#[test]
fn answers_that_are_none_are_tried_again() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut number) = (taken.clone(), 0);
    let web = web(move |body| {
        number += 1;
        match number {
            1 => said("503 Service Unavailable", ""),
            2 => "nonsense\r\n\r\n".to_owned(),
            3 => said("200 OK", "<html>"),
            _ => {
                seen.lock().unwrap().extend(logged(body));
                said("200 OK", "{\"partialSuccess\":{}}")
            }
        }
    });
    let mut place = Place::new();
    let sinks = place.start("a", otlp::Otlp::new(&web), 100_000);
    place.sent(&sinks, 600);
    assert!(wait(|| taken.lock().unwrap().last() == Some(&600)));
    assert_eq!((taken.lock().unwrap().clone(), place.all_lost()), (ids(1, 600), 0));
}

#[test]
fn a_record_that_is_refused_for_good_is_lost_alone() {
    let taken = Arc::new(Mutex::new(0));
    let seen = taken.clone();
    let web = web(move |body| {
        if body.contains("\"number 17\"") {
            return said("400 Bad Request", "");
        }
        *seen.lock().unwrap() += serde_json::from_str::<Vec<serde_json::Value>>(body).unwrap().len();
        said("202 Accepted", "")
    });
    let mut place = Place::new();
    let sinks = place.start("a", ocsf::Ocsf::new(&web), 100_000);
    place.sent(&sinks, 40);
    assert!(wait(|| *taken.lock().unwrap() == 39));
    assert_eq!(place.told.recv_timeout(Duration::from_secs(5)), Ok(1));
}

#[test]
fn what_otlp_rejects_is_counted() {
    let web = web(|_| said("200 OK", "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"no\"}}"));
    let mut place = Place::new();
    let sinks = place.start("a", otlp::Otlp::new(&web), 100_000);
    place.sent(&sinks, 1);
    assert_eq!(place.told.recv_timeout(Duration::from_secs(5)), Ok(1));
}

#[test]
fn the_token_is_read_from_its_file() {
    let (sent, got) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap_or(0) > 2 {
            if line.to_lowercase().starts_with("authorization:") {
                sent.send(line.trim().to_owned()).unwrap();
            }
            line.clear();
        }
    });
    let mut place = Place::new();
    let token = place.directory.path().join("token");
    fs::write(&token, "secret\n").unwrap();
    let sinks = place.start("a", otlp::Otlp::new(&Web { url, ca: None, token: Some(token) }), 100_000);
    place.sent(&sinks, 1);
    let line = got.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(line.ends_with("Bearer secret"), "{line}");
}

/// Takes one batch over TLS, with the certificate of tls/server.pem, which is for 127.0.0.1 alone. Where it is, and what it took.
fn closed() -> (u16, Receiver<Vec<u64>>) {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sent, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream.unwrap()));
            if let Some(body) = body(&mut stream).filter(|body| !body.is_empty()) {
                let _ = stream.get_mut().write_all(said("200 OK", "{}").as_bytes());
                sent.send(logged(&body)).unwrap();
            }
        }
    });
    (port, got)
}

#[test]
fn over_tls_only_a_receiver_that_shows_who_it_is_gets_records() {
    let (port, got) = closed();
    let mut place = Place::new();
    let ca = place.directory.path().join("ca.pem");
    let web = |host: &str, ca: Option<&Path>| Web {
        url: format!("https://{host}:{port}/v1/logs"),
        ca: ca.map(Path::to_owned),
        token: None,
    };
    let record = place.append(1);
    let record: Vec<&Written> = record.iter().flat_map(|one| one.iter()).collect();
    let refused = |web: &Web| otlp::Otlp::new(web).deliver(&record).unwrap_err().why;
    let missing = refused(&web("127.0.0.1", Some(&ca)));
    assert!(missing.contains("ca.pem: No such file"), "{missing}");
    fs::write(&ca, "nothing\n").unwrap();
    assert!(refused(&web("127.0.0.1", Some(&ca))).contains("no certificate in it"));
    fs::write(&ca, include_bytes!("../tls/ca.pem")).unwrap();
    // Another name than that of the certificate; and an authority that the system does not know.
    let named = refused(&web("localhost", Some(&ca)));
    assert!(named.contains("not valid for name"), "{named}");
    let unknown = refused(&web("127.0.0.1", None));
    assert!(unknown.contains("UnknownIssuer") || unknown.contains("no list of authorities"), "{unknown}");
    assert!(got.try_recv().is_err(), "none of them was given anything");
    let sinks = place.start("a", otlp::Otlp::new(&web("127.0.0.1", Some(&ca))), 100_000);
    place.sent(&sinks, 3);
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(got.recv_timeout(Duration::from_secs(20)).unwrap());
    }
    assert_eq!(taken, ids(1, 4));
}
