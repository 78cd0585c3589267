//! Each misbehaviour as a client sees it, and whom it meets.

use std::io::Read as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::mischief::{crc_of_zeros, gzip_bomb};
use super::*;

/// What a plain socket reads for a ZenFlow request, and how the connection ended.
async fn raw(simulator: &Simulator) -> (String, std::io::Result<usize>) {
    let address = simulator.base().replace("http://", "");
    let mut socket = TcpStream::connect(&address).await.expect("a port");
    let request = format!("GET /zenflow/api/v1/orders HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let sent = socket.write_all(request.as_bytes()).await;
    sent.expect("the request goes out");
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes).await;
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

fn once(simulator: &Simulator, fault: Misbehaviour) {
    simulator.set_fault(Fault { times: Some(1), ..Fault::of(fault) });
}

/// The reply to a good key under this misbehaviour.
async fn under(simulator: &Simulator, key: &str, fault: Misbehaviour) -> Heard {
    once(simulator, fault.clone());
    let heard = ask(orders(simulator, key)).await;
    let row = last(simulator);
    assert_eq!(row.fault.as_deref(), Some(fault.name()));
    assert_eq!(row.status, Some(heard.status));
    heard
}

#[tokio::test]
async fn a_broken_connection_is_broken_as_named() {
    let simulator = simulator().await;
    once(&simulator, Misbehaviour::Reset);
    let (heard, end) = raw(&simulator).await;
    assert_eq!(heard, "");
    let end = end.map_err(|error| error.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!((last(&simulator).status, last(&simulator).fault), (None, Some("reset".into())));

    once(&simulator, Misbehaviour::Truncated);
    let (heard, end) = raw(&simulator).await;
    assert!(end.is_ok());
    let (top, body) = heard.split_once("\r\n\r\n").expect("a whole head");
    let declared = top.rsplit("Content-Length: ").next().expect("a length");
    let declared: usize = declared.parse().expect("a number");
    assert!(body.len() < declared);

    once(&simulator, Misbehaviour::BadTls);
    let (heard, _) = raw(&simulator).await;
    assert!(!heard.starts_with("HTTP"));
    assert!(heard.contains("rubbish"));
}

#[tokio::test]
async fn a_hanging_answer_is_in_the_ledger_at_once() {
    let simulator = simulator().await;
    once(&simulator, Misbehaviour::Hang);
    let short = Duration::from_millis(100);
    assert!(tokio::time::timeout(short, raw(&simulator)).await.is_err());
    simulator.wait_for(&LedgerFilter::default(), Duration::from_secs(30)).await.expect("it was asked");
    let row = last(&simulator);
    assert_eq!((row.status, row.fault.as_deref()), (None, Some("hang")));
}

#[tokio::test]
async fn slow_answers_come_whole_if_one_waits() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    let start = std::time::Instant::now();
    let late = under(&simulator, &key, Misbehaviour::Latency { ms: 60 }).await;
    assert_eq!(late.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
    once(&simulator, Misbehaviour::SlowBody { every_ms: 1000 });
    let slow = orders(&simulator, &key).timeout(Duration::from_millis(200));
    assert!(hear(slow).await.is_err_and(|error| error.is_timeout()));
    let quick = under(&simulator, &key, Misbehaviour::SlowBody { every_ms: 0 }).await;
    assert_eq!(quick.json()["success"], true);
}

#[tokio::test]
async fn statuses_and_retry_after_are_as_ordered() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    simulator.set_clock(&ClockChange {
        now: Some("2030-01-01T00:00:00Z".parse().expect("a time")),
        frozen: Some(true),
        ..ClockChange::default()
    });
    let date = "Tue, 01 Jan 2030 00:00:30 GMT";
    for (retry_after, value) in [
        (None, None),
        (Some(RetryAfter::Seconds(0)), Some("0")),
        (Some(RetryAfter::Seconds(-1)), Some("-1")),
        (Some(RetryAfter::Seconds(1_000_000_000_000)), Some("1000000000000")),
        (Some(RetryAfter::Text("banana".into())), Some("banana")),
        (Some(RetryAfter::Date { date_in: 30 }), Some(date)),
    ] {
        let limit = Misbehaviour::RateLimit { retry_after: retry_after.clone() };
        let heard = under(&simulator, &key, limit).await;
        assert_eq!((heard.status, heard.header("retry-after")), (429, value));
        let failure = Misbehaviour::Status { status: 503, retry_after, bad_key_body: true };
        let heard = under(&simulator, &key, failure).await;
        assert_eq!((heard.status, heard.header("retry-after")), (503, value));
        assert_eq!(heard.json()["error"]["code"], "invalid_api_key");
    }
}

#[tokio::test]
async fn pages_come_under_any_status_and_type() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    for status in [200, 401, 403] {
        for (content_type, start) in [(None, "text/html"), (Some("application/json"), "application/json")] {
            let page = Misbehaviour::Html { status, content_type: content_type.map(str::to_owned) };
            let heard = under(&simulator, &key, page).await;
            assert_eq!((heard.status, heard.body[0]), (status, b'<'));
            let kind = heard.header("content-type").expect("a type");
            assert!(kind.starts_with(start));
        }
    }
}

#[tokio::test]
async fn bodies_are_as_wrong_as_ordered() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    assert!(under(&simulator, &key, Misbehaviour::Empty).await.body.is_empty());
    for broken in [Misbehaviour::BrokenJson, Misbehaviour::DeepJson] {
        let heard = under(&simulator, &key, broken).await;
        assert!(heard.body.len() < 256 * 1024);
        assert!(serde_json::from_slice::<Value>(&heard.body).is_err());
    }
    for declared in [true, false] {
        let heard = under(&simulator, &key, Misbehaviour::Huge { declared }).await;
        assert_eq!(heard.header("content-length").is_some(), declared);
        assert!(heard.json().is_array() && heard.body.len() > 1024 * 1024);
    }
    let bomb = under(&simulator, &key, Misbehaviour::GzipBomb).await;
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(bomb.body.len() < 256 * 1024);
}

#[test]
fn the_bomb_is_a_gzip_member() {
    // The CRC-32 of one and of four zero bytes.
    assert_eq!(crc_of_zeros(1), 0xD202_EF8D);
    assert_eq!(crc_of_zeros(4), 0x2144_DF1C);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), gzip_bomb()).expect("room for it");
    let open = std::fs::File::open(file.path()).expect("the file");
    let Ok(mut child) =
        std::process::Command::new("gzip").arg("-dc").stdin(open).stdout(std::process::Stdio::piped()).spawn()
    else {
        return; // no gzip here
    };
    let mut bytes = Vec::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_end(&mut bytes).expect("it can be read");
    assert!(child.wait().expect("it ends").success());
    assert!(bytes.len() > 32_000_000 && bytes.iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn every_redirect_points_to_the_decoy_which_counts() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    for status in [301, 302, 303, 307, 308] {
        let heard = under(&simulator, &key, Misbehaviour::Redirect { status }).await;
        assert_eq!(heard.status, status);
        let to = heard.header("location").expect("a Location").to_owned();
        assert!(to.starts_with(&simulator.decoy()) && !to.contains(&key));
    }
    assert_eq!(simulator.decoy_hits(), 0);
    ask(get(&simulator.decoy(), None)).await;
    assert_eq!(simulator.decoy_hits(), 1);
}

#[tokio::test]
async fn refusals_are_in_the_providers_words() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    for (fault, status, code) in [
        (Misbehaviour::ErrorIn200, 200, "invalid_api_key"),
        (Misbehaviour::Expired, 401, "expired_api_key"),
        (Misbehaviour::Revoked, 401, "revoked_api_key"),
        (Misbehaviour::ScopeMissing, 403, "insufficient_scope"),
        (Misbehaviour::IpNotAllowed, 403, "ip_not_allowed"),
        (Misbehaviour::Denied, 403, "insufficient_scope"),
    ] {
        let heard = under(&simulator, &key, fault).await;
        assert_eq!(heard.status, status);
        assert_eq!(heard.json()["error"]["code"], code);
    }
}

#[tokio::test]
async fn an_echo_holds_the_key() {
    let simulator = simulator().await;
    let key = orders_key(&simulator).key;
    let at = |at| Misbehaviour::EchoKey { at, status: 401 };
    let body = under(&simulator, &key, at(Echo::Body)).await;
    assert_eq!(body.status, 401);
    assert!(String::from_utf8_lossy(&body.body).contains(&key));
    let header = under(&simulator, &key, at(Echo::Header)).await;
    assert_eq!((header.status, header.header("x-echo")), (200, Some(key.as_str())));
}

#[tokio::test]
async fn a_fault_meets_only_whom_it_names() {
    let simulator = simulator().await;
    let (met, spared) = (orders_key(&simulator), orders_key(&simulator));
    let empty = || Fault::of(Misbehaviour::Status { status: 500, retry_after: None, bad_key_body: false });
    simulator.set_fault(Fault { key_hash: Some(met.hash), path: Some("/orders".into()), times: Some(2), ..empty() });
    simulator.set_fault(Fault { provider: Some(Provider::Flow), ..empty() });
    simulator.set_fault(Fault { account: Some("nobody".into()), ..empty() });
    assert_eq!(ask(orders(&simulator, &spared.key)).await.status, 200);
    for status in [500, 500, 200] {
        assert_eq!(ask(orders(&simulator, &met.key)).await.status, status);
    }
    simulator.clear_faults();
}
