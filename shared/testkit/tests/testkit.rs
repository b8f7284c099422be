//! The kit does what tests rely on.

#![allow(clippy::unwrap_used)]

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use futures::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::Code;
use tributary_domain::{Action, Behaviour, Event, Item, ItemId, Timestamp, UserId};
use tributary_proto::feature::v1::{
    GetUserContextRequest, RecordEventsRequest, WatchEventsRequest, WatchItemsRequest,
    feature_service_client::FeatureServiceClient, item_change::Change,
};
use tributary_testkit::{
    FakeFeature, Mode, Process, Proxy, TestFolder, channel, free_ports, wait_until,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers every byte with itself.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(byte) = socket.read_u8().await {
                    socket.write_u8(byte).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_changes_its_mode_under_open_connections() {
    let proxy = Proxy::start(echo().await).await;
    let mut connection = TcpStream::connect(proxy.address()).await.unwrap();
    connection.write_u8(1).await.unwrap();
    assert_eq!(connection.read_u8().await.unwrap(), 1);

    proxy.set(Mode::Hang);
    connection.write_u8(2).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(20), connection.read_u8()).await;
    assert!(silence.is_err());
    proxy.set(Mode::Delay(Duration::from_millis(1)));
    assert_eq!(connection.read_u8().await.unwrap(), 2);

    proxy.set(Mode::Close);
    assert!(connection.read_u8().await.is_err());
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(refused.read_u8().await.is_err());
}

#[tokio::test]
async fn ports_differ() {
    let ports = free_ports(20);
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 20);
}

#[tokio::test]
#[should_panic(expected = "tests/testkit.rs")]
async fn waiting_in_vain_names_the_line() {
    wait_until(async || false, Duration::ZERO).await;
}

#[tokio::test]
async fn processes_end_as_told() {
    let folder = TestFolder::new("processes");
    let log = folder.join("log");
    let nothing = || std::iter::empty::<(&str, &str)>();
    let script = ["-c", "trap 'exit 3' TERM; echo started; while :; do sleep 0.01; done"];
    for stop in [true, false] {
        let mut process = Process::spawn("sh", script, nothing(), &log).unwrap();
        let pid = process.pid().unwrap();
        wait_until(async || process.log().contains("started"), PATIENCE).await;
        if stop {
            assert_eq!(process.stop(PATIENCE).await.unwrap().code(), Some(3));
        } else {
            process.kill_9().await.unwrap();
        }
        assert!(process.pid().is_none(), "{pid} still runs");
        std::fs::remove_file(&log).unwrap();
    }
}

fn bookmark(item: u64) -> Event {
    let item = ItemId(item);
    let behaviour =
        Behaviour { item, action: Action::Bookmark, time: Timestamp(1_000), dwell_ms: 0 };
    Event { user: UserId(5), behaviour }
}

#[tokio::test]
async fn the_fake_feature_service_logs_changes_and_events() {
    let feature = FakeFeature::new();
    let server = feature.start();
    let mut client = FeatureServiceClient::new(channel(server.address()));
    feature.upsert([Item::bare(ItemId(1)), Item::bare(ItemId(2))]);
    let watch = WatchItemsRequest { after: 1 };
    let mut changes = client.watch_items(watch).await.unwrap().into_inner();
    let first = changes.next().await.unwrap().unwrap();
    assert_eq!((first.head, first.changes.len(), first.changes[0].sequence), (2, 1, 2));
    feature.delete(ItemId(1));
    let second = changes.next().await.unwrap().unwrap();
    assert_eq!(second.changes[0].change, Some(Change::DeletedItemId(1)));

    let events = RecordEventsRequest {
        events: vec![bookmark(2).into(), bookmark(2).into()],
        served: vec![],
    };
    let recorded = client.record_events(events).await.unwrap().into_inner();
    assert_eq!((recorded.recorded, recorded.duplicates), (1, 1));
    let context = feature.context(UserId(5));
    assert!(context.has_seen(ItemId(2)) && context.version == 1);
    let watch = WatchEventsRequest { after: 0 };
    let mut events = client.watch_events(watch).await.unwrap().into_inner();
    assert_eq!(events.next().await.unwrap().unwrap().events.len(), 1);

    feature.fail(Some(Code::Internal));
    let ask = GetUserContextRequest { user_id: 5 };
    assert_eq!(client.get_user_context(ask).await.unwrap_err().code(), Code::Internal);
}
