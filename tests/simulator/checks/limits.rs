//! Rate limits on a clock that stands still.

use super::*;

fn freeze(simulator: &Simulator) {
    simulator.set_clock(&ClockChange {
        now: Some("2030-01-01T00:00:10Z".parse().expect("a time")),
        frozen: Some(true),
        ..ClockChange::default()
    });
}

fn advance(simulator: &Simulator, advance_seconds: i64) {
    simulator.set_clock(&ClockChange { advance_seconds, ..ClockChange::default() });
}

#[tokio::test]
async fn zenflow_counts_each_key_and_says_when_to_return() {
    let simulator = simulator().await;
    freeze(&simulator);
    let key = orders_key(&simulator);
    let first = ask(orders(&simulator, &key.key)).await;
    assert_eq!(first.header("x-ratelimit-limit"), Some("60"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("59"));
    assert_eq!(first.header("x-ratelimit-reset"), Some("1893456060"));
    for _ in 1..60 {
        assert_eq!(ask(orders(&simulator, &key.key)).await.status, 200);
    }
    let over = ask(orders(&simulator, &key.key)).await;
    assert_eq!(over.status, 429);
    assert_eq!(over.header("retry-after"), Some("50"));
    assert_eq!(over.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(over.json()["error"]["code"], "rate_limit_exceeded");
    let other = orders_key(&simulator);
    assert_eq!(ask(orders(&simulator, &other.key)).await.status, 200);
    advance(&simulator, 50);
    assert_eq!(ask(orders(&simulator, &key.key)).await.status, 200);
}

#[tokio::test]
async fn flowlu_has_five_a_second_and_a_string() {
    let simulator = simulator().await;
    freeze(&simulator);
    let base = simulator.base();
    let url = format!("{base}/flowlu/a/api/v1/module/core/user/list?api_key=x");
    for _ in 0..5 {
        assert_eq!(ask(get(&url, None)).await.status, 200);
    }
    let over = ask(get(&url, None)).await;
    let error = over.json()["error"].as_str().map(str::to_owned);
    assert_eq!(over.status, 429);
    assert!(error.is_some_and(|text| text.starts_with("Request rate")));
    advance(&simulator, 1);
    assert_eq!(ask(get(&url, None)).await.status, 200);
}

#[tokio::test]
async fn switched_off_limits_never_bite_nor_count() {
    let simulator = simulator().await;
    freeze(&simulator);
    simulator.set_switches(Switches { limits: false, ..Switches::default() });
    let key = orders_key(&simulator);
    for _ in 0..70 {
        let heard = ask(orders(&simulator, &key.key)).await;
        assert_eq!(heard.header("x-ratelimit-remaining"), Some("60"));
    }
}

#[tokio::test]
async fn aventri_has_three_ways_to_refuse() {
    let simulator = simulator().await;
    freeze(&simulator);
    let base = simulator.base();
    let url = format!("{base}/aventri/na/api/v2/global/listEvents.json?accountid=1");
    let client = client();
    for _ in 0..400 {
        ask(client.get(&url)).await;
    }
    for (limit_reply, status) in
        [(LimitReply::TooManyRequests, 429), (LimitReply::Page, 403), (LimitReply::Suspension, 200)]
    {
        let mut switches = Switches::default();
        switches.aventri.limit_reply = limit_reply;
        simulator.set_switches(switches);
        let heard = ask(client.get(&url)).await;
        assert_eq!(heard.status, status);
        assert_eq!(heard.body.first() == Some(&b'<'), limit_reply == LimitReply::Page);
    }
}
