//! What the API answers, good and bad.

use serde_json::Value;

use crate::asking::{Answer, ask, get};
use crate::schema::mistakes;
use crate::served::{Served, refusal};

const JSON: (&str, &str) = ("content-type", "application/json");

fn document() -> Value {
    serde_json::from_str(include_str!("../../src/api/openapi.json")).unwrap()
}

/// What the document says about the good answer of a GET.
fn schema(document: &Value, path: &str) -> Value {
    document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"].clone()
}

#[test]
fn answers_are_what_the_document_says() {
    let served = Served::start();
    served.put(refusal(1, "SHELL", "/bin/sh"));
    let document = document();
    let asked = [
        ("/v1/status", "/v1/status"),
        ("/v1/attest", "/v1/attest"),
        ("/v1/services", "/v1/services"),
        ("/v1/services/{name}", "/v1/services/web.service"),
        ("/v1/models", "/v1/models"),
        ("/v1/audits", "/v1/audits"),
        ("/v1/policy", "/v1/policy"),
        ("/v1/policy/history", "/v1/policy/history"),
        ("/v1/explain", "/v1/explain?service=web&access=write&object=/etc/passwd"),
    ];
    for (path, url) in asked {
        let answer = get(&served.socket(), url);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(mistakes(&document, &schema(&document, path), &answer.json(), path), Vec::<String>::new());
    }
    let paths = document["paths"].as_object().unwrap();
    let described = paths
        .iter()
        .filter(|(_, methods)| methods["get"]["responses"]["200"]["content"].get("application/json").is_some());
    // The revision of a number, of which there is none here, has the schema of the one in force; the document has none.
    assert_eq!(described.count(), asked.len() + 2, "a GET that this test does not ask for");
    assert_eq!(get(&served.socket(), "/openapi.json").json(), document);
}

#[test]
fn every_refusal_is_json_with_a_sentence() {
    let served = Served::start();
    let document = document();
    let refused = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| -> Answer {
        let answer = ask(&served.socket(), method, path, headers, body);
        let schema = &document["components"]["schemas"]["Failure"];
        assert_eq!(mistakes(&document, schema, &answer.json(), path), Vec::<String>::new(), "{answer:?}");
        answer
    };
    for (method, path, status, part) in [
        ("GET", "/v1/nothing", 404, "nothing at /v1/nothing; /openapi.json lists"),
        ("GET", "/v1/policy/twelve", 404, "nothing at /v1/policy/twelve"),
        ("GET", "/v1/policy/18446744073709551616", 404, "nothing at"),
        ("GET", "/v1/policy/diff", 405, "GET is not for /v1/policy/diff, but POST is"),
        ("GET", "/v1/policy/99", 404, "there is no revision 99; `bartizan policy history`"),
        ("GET", "/v1/services/wbe", 404, "there is no service wbe; did you mean web?"),
        ("GET", "/v1/services/something-else", 404, "there is no service something-else; `bartizan services`"),
        ("GET", "/v1/services/%1b[2J", 404, "there is no service"),
        ("GET", "/v1/models?servce=web", 400, "servce"),
        ("GET", "/v1/audits?colour=red", 400, "colour"),
        ("GET", "/v1/audits?after=-1", 400, "query"),
        ("GET", "/v1/audits?limit=0", 422, "limit: expected 1 to 10000"),
        ("GET", "/v1/audits?capability=SHELLS", 422, "there is no capability SHELLS; did you mean SHELL?"),
        ("GET", "/v1/audits?kind=denials&verdict=no&since=2h", 422, "kind: expected one of capability"),
        ("GET", "/v1/audits/stream?verdict=no", 422, "verdict: expected deny or audit: `no`"),
        ("GET", "/v1/explain?service=wbe&access=write&object=/x", 404, "did you mean web?"),
        ("GET", "/v1/explain?service=web&access=wite&object=/x", 400, "wite"),
        ("DELETE", "/v1/policy", 405, "DELETE is not for /v1/policy, but POST, GET is"),
        ("PUT", "/v1/policy/diff", 405, "PUT is not for /v1/policy/diff, but POST is"),
        ("PUT", "/v1/policy/7", 405, "PUT is not for /v1/policy/7, but GET is"),
        ("POST", "/v1/services", 405, "POST is not for /v1/services, but GET is"),
    ] {
        let answer = refused(method, path, &[], b"");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.problems().contains(part), "{path}: {}", answer.problems());
        assert_eq!(answer.header("allow").is_some(), status == 405, "{answer:?}");
    }
    assert_eq!(refused("GET", "/v1/audits?kind=denials&verdict=no&since=2h", &[], b"").problems().lines().count(), 3);
    for (headers, body, status, part) in [
        (&[JSON][..], &b"{"[..], 400, "cannot be read"),
        (&[JSON], b"{\"files\": [], \"file\": 1}", 400, "file"),
        (&[], b"{\"files\": []}", 415, "application/json"),
        (&[JSON], b"\xff\xfe", 400, "cannot be read"),
    ] {
        let answer = refused("POST", "/v1/policy/diff", headers, body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.problems().contains(part), "{}", answer.problems());
    }
}

#[test]
fn what_is_too_large_is_told_the_limit() {
    let served = Served::start();
    let large = vec![b' '; (8 << 20) + 1];
    let answer = ask(&served.socket(), "POST", "/v1/policy/diff", &[JSON], &large);
    assert_eq!((answer.status, answer.problems().contains("8388608 bytes (8 MiB)")), (413, true), "{answer:?}");
    // Not more than a service that writes all it likes; the same without a length in advance is cut off in the middle.
    let larger = vec![b' '; (16 << 20) + 1];
    let answer = ask(&served.socket(), "POST", "/v1/models/import", &[JSON], &larger);
    if nix::unistd::geteuid().is_root() {
        assert_eq!((answer.status, answer.problems().contains("16777216 bytes (16 MiB)")), (413, true), "{answer:?}");
    } else {
        assert_eq!(answer.status, 403, "who may not write is told that first: {answer:?}");
    }
    assert_eq!(get(&served.socket(), "/v1/services").status, 200, "it goes on");
}

#[test]
fn only_root_writes() {
    let served = Served::start();
    let answer = ask(&served.socket(), "POST", "/v1/services/mail/learn", &[], b"");
    if nix::unistd::geteuid().is_root() {
        assert_eq!(answer.status, 204, "{answer:?}");
        let state = get(&served.socket(), "/v1/services/mail").json()["state"].clone();
        assert_eq!(state, "learning");
    } else {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.problems().contains("only root may change anything"), "{}", answer.problems());
    }
}

#[test]
fn who_has_an_answer_is_not_given_it_again() {
    let served = Served::start();
    for path in ["/v1/policy", "/v1/models", "/v1/models?service=web", "/openapi.json"] {
        let first = get(&served.socket(), path);
        let tag = first.header("etag").unwrap().to_owned();
        let again = |known: &str| ask(&served.socket(), "GET", path, &[("if-none-match", known)], b"");
        for known in [tag.as_str(), "*", &format!("\"other\", {tag}"), &format!("W/{tag}")] {
            let answer = again(known);
            assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{path} {known}");
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
        }
        assert_eq!(again("\"other\"").body, first.body, "{path}");
    }
    let tag = |path: &str| get(&served.socket(), path).header("etag").unwrap().to_owned();
    assert_ne!(tag("/v1/models?service=web"), tag("/v1/models?service=mail"));
}

#[test]
fn records_come_page_by_page() {
    let served = Served::start();
    for minute in 0..25 {
        served.put(refusal(minute, if minute % 5 == 0 { "SHELL" } else { "SSH" }, "/x"));
    }
    let (mut path, mut ids, mut pages) = ("/v1/audits?service=web&kind=capability&limit=10".to_owned(), Vec::new(), 0);
    loop {
        let answer = get(&served.socket(), &path);
        ids.extend(answer.json().as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()));
        pages += 1;
        let Some(link) = answer.header("link") else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!((ids.len(), pages), (25, 3));
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let count = |query: &str| get(&served.socket(), &format!("/v1/audits?{query}")).json().as_array().unwrap().len();
    assert_eq!(count("capability=SHELL"), 5);
    assert_eq!(count("capability=SHELL,SSH&since=2026-11-28T12:10:00Z&until=2026-11-28T12:20:00Z"), 10);
    assert_eq!(count("service=web&verdict=audit"), 0);
    let newest = get(&served.socket(), "/v1/audits?newest=true&limit=3&capability=SHELL").json();
    let times: Vec<&str> = newest.as_array().unwrap().iter().map(|one| one["time"].as_str().unwrap()).collect();
    assert_eq!(times, ["10", "15", "20"].map(|minute| format!("2026-11-28T12:{minute}:00.000Z")));
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let served = Served::start();
    let answer = get(&served.socket(), "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"), "{answer:?}");
    let has = |line: &str| assert!(answer.body.lines().any(|one| one == line), "{line}:\n{}", answer.body);
    has("bartizan_enforcement_state{state=\"enforcing\"} 1");
    has("bartizan_enforcement_state{state=\"degraded\"} 0");
    has("bartizan_services{state=\"active\"} 1");
    has("bartizan_services{state=\"manual\"} 1");
    has("bartizan_services{state=\"archived\"} 0");
    has("bartizan_actor_restarts_total{actor=\"learner\"} 0");
    has("bartizan_events_total{event=\"violation\"} 0");
    has("# TYPE bartizan_services gauge");
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("bartizan_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn metrics_have_an_address_of_their_own_and_nothing_else_is_there() {
    use std::io::{Read as _, Write as _};
    let served = Served::start();
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(served.metrics).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/metrics").contains("bartizan_enforcement_state{state=\"enforcing\"} 1"));
    for path in ["/v1/status", "/v1/audits", "/openapi.json", "/"] {
        assert!(get(path).starts_with("HTTP/1.1 404"), "{path}: {}", get(path));
    }
}
