use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use tonic::Code;
use tributary_domain::{UserContext, UserId};
use tributary_proto::feature::v1::{
    DeleteItemsRequest, GetUserContextRequest, feature_service_client::FeatureServiceClient,
};
use tributary_testkit::{FakeFeature, FakeServer, Mode, Proxy, free_port, wait_until};

use super::{Client, ClientConfig, Endpoints};
use crate::{CallError, Deadline, Failure, call, request};

const PATIENCE: Duration = Duration::from_secs(20);
const USER: UserId = UserId(7);

/// A service that gives itself away by the version of every context it answers.
fn marked(version: u64) -> FakeFeature {
    let feature = FakeFeature::new();
    feature.set_context(UserContext { version, ..UserContext::cold(USER) });
    feature
}

fn over(addresses: &[SocketAddr]) -> Client {
    let config = ClientConfig::at("http://feature:7001");
    let origin = config.address.parse().unwrap();
    Client::over("feature", Endpoints::fixed(addresses, &origin, &config))
}

async fn version_within(client: &Client, time: Duration) -> Result<u64, CallError> {
    let deadline = Deadline::after(time);
    let message = request(GetUserContextRequest { user_id: USER.0 }, deadline);
    let mut feature = FeatureServiceClient::new(client.clone());
    let answer = call("feature", deadline, feature.get_user_context(message)).await?;
    Ok(answer.context.unwrap().version)
}

async fn version(client: &Client) -> Result<u64, CallError> {
    version_within(client, PATIENCE).await
}

async fn answering(client: &Client, calls: usize) -> BTreeSet<u64> {
    let mut versions = BTreeSet::new();
    for number in 0..calls {
        let answer = version(client).await;
        versions.insert(answer.unwrap_or_else(|error| panic!("call {number} failed: {error:?}")));
    }
    versions
}

#[tokio::test]
async fn calls_spread_over_all_endpoints() {
    let (one, two) = (marked(1).start(), marked(2).start());
    let client = over(&[one.address(), two.address()]);
    assert_eq!(answering(&client, 100).await, BTreeSet::from([1, 2]));
}

#[tokio::test]
async fn no_call_fails_with_one_endpoint_of_two_dead_and_it_is_found_again() {
    let (one, two) = (marked(1).start(), marked(2).start());
    let client = over(&[one.address(), two.address()]);
    assert_eq!(answering(&client, 50).await, BTreeSet::from([1, 2]));
    let address = one.address();
    one.kill();
    assert_eq!(answering(&client, 300).await, BTreeSet::from([2]));
    let _one = FakeServer::start_at(address, marked(1).service());
    wait_until(async || version(&client).await.unwrap() == 1, PATIENCE).await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_serve_is_passed_over() {
    let refusing = marked(1);
    refusing.fail(Some(Code::Unavailable));
    let (one, two) = (refusing.start(), marked(2).start());
    let client = over(&[one.address(), two.address()]);
    assert_eq!(answering(&client, 300).await, BTreeSet::from([2]));
    refusing.fail(None);
    wait_until(async || version(&client).await.unwrap() == 1, PATIENCE).await;
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_sent_elsewhere() {
    let (one, two) = (marked(1).start(), marked(2).start());
    let proxy = Proxy::start(one.address()).await;
    let client = over(&[proxy.address(), two.address()]);
    assert_eq!(answering(&client, 50).await, BTreeSet::from([1, 2]));
    proxy.set(Mode::Hang);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { version(&client).await })
        })
        .collect();
    // Some of the calls are held by the proxy; the other endpoint answers those that are not.
    wait_until(async || calls.iter().any(|call| call.is_finished()), PATIENCE).await;
    proxy.set(Mode::Close);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 2);
    }
}

#[tokio::test]
async fn a_restarted_process_answers_the_first_call() {
    let server = marked(1).start();
    let address = server.address();
    let client = over(&[address]);
    assert_eq!(version(&client).await.unwrap(), 1);
    server.kill();
    for _ in 0..5 {
        assert_eq!(version(&client).await.unwrap_err().failure, Failure::Unavailable);
    }
    let _server = FakeServer::start_at(address, marked(2).service());
    assert_eq!(version(&client).await.unwrap(), 2);
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_noticed() {
    let server = marked(1).start();
    let address = server.address();
    let client = over(&[address]);
    assert_eq!(version(&client).await.unwrap(), 1);
    server.kill();
    let _server = FakeServer::start_at(address, marked(2).service());
    assert_eq!(version(&client).await.unwrap(), 2);
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_not_a_timeout() {
    let client = over(&[SocketAddr::from(([127, 0, 0, 1], free_port()))]);
    let error = version(&client).await.unwrap_err();
    assert_eq!((error.failure, error.upstream.as_str()), (Failure::Unavailable, "feature"));
}

#[tokio::test]
async fn the_deadline_holds_against_a_server_that_says_nothing() {
    let server = marked(1).start();
    let proxy = Proxy::start(server.address()).await;
    let client = over(&[proxy.address()]);
    assert_eq!(version(&client).await.unwrap(), 1);
    proxy.set(Mode::Hang);
    let error = version_within(&client, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout);
    proxy.set(Mode::Pass);
    assert_eq!(version(&client).await.unwrap(), 1);
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_left_alone() {
    let (one, two) = (marked(1).start(), marked(2).start());
    let proxy = Proxy::start(one.address()).await;
    let client = over(&[proxy.address(), two.address()]);
    assert_eq!(answering(&client, 50).await, BTreeSet::from([1, 2]));
    proxy.set(Mode::Hang);
    let twenty_in_a_row = async || {
        for _ in 0..20 {
            if version_within(&client, Duration::from_millis(100)).await.is_err() {
                return false;
            }
        }
        true
    };
    wait_until(twenty_in_a_row, PATIENCE).await;
    proxy.set(Mode::Pass);
    wait_until(async || version(&client).await.unwrap() == 1, PATIENCE).await;
}

#[tokio::test]
async fn errors_of_the_service_are_told_apart() {
    let feature = marked(1);
    let server = feature.start();
    let client = over(&[server.address()]);
    for (code, failure) in [
        (Code::ResourceExhausted, Failure::Overloaded),
        (Code::DeadlineExceeded, Failure::Timeout),
        (Code::Unavailable, Failure::Unavailable),
        (Code::Internal, Failure::Error),
        (Code::InvalidArgument, Failure::Error),
    ] {
        feature.fail(Some(code));
        let error = version(&client).await.unwrap_err();
        assert_eq!(error.failure, failure, "{code:?}");
        assert_eq!(error.status().unwrap().code(), code);
    }
}

#[tokio::test]
async fn requests_with_a_body_arrive_whole() {
    let feature = FakeFeature::new();
    let server = feature.start();
    let client = Client::new("feature", &ClientConfig::at(server.url())).unwrap();
    let mut stub = FeatureServiceClient::new(client);
    let item_ids: Vec<u64> = (1..=100_000).collect();
    let answer = stub.delete_items(DeleteItemsRequest { item_ids }).await.unwrap();
    assert_eq!(answer.get_ref().deleted, 0);
}

#[tokio::test]
async fn names_are_looked_up() {
    let server = marked(1).start();
    let url = format!("http://localhost:{}", server.address().port());
    let client = Client::new("feature", &ClientConfig::at(url)).unwrap();
    assert_eq!(version(&client).await.unwrap(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unavailable() {
    let client = Client::new("feature", &ClientConfig::at("http://nowhere.invalid:1")).unwrap();
    assert_eq!(version(&client).await.unwrap_err().failure, Failure::Unavailable);
}

#[tokio::test]
async fn bad_addresses_are_refused() {
    for address in
        ["", "feature", "feature:7001", "http://feature", "https://feature:1", "http://a:1/b"]
    {
        let error = Client::new("feature", &ClientConfig::at(address)).err();
        assert!(error.is_some(), "{address:?} was taken");
    }
}
