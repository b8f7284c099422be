//! What the tests of several crates need: fake upstreams that can be slow, hang and die, processes
//! that end with the test, tiny bundles, and waiting for conditions instead of sleeping.
//!
//! For tests only: errors are panics that say what was expected.

mod bundle;
mod database;
mod feature;
mod folder;
mod ports;
mod process;
mod proxy;
mod recall;
mod redis;
mod serve;
mod wait;

pub use bundle::{DIAGONAL, TinyBundle, bookmarks, golden, of_genre, six_vectors};
pub use database::{Database, Product, insert_statement};
pub use feature::FakeFeature;
pub use folder::{TestFolder, copy_folder};
pub use ports::{free_port, free_ports};
pub use process::Process;
pub use proxy::{Mode, Proxy};
pub use recall::RecallChannel;
pub use redis::{RedisCluster, RedisSentinel, RedisServer};
pub use serve::{FakeServer, channel, is_serving, wait_until_serving};
pub use wait::wait_until;
