//! The whole mesh, as its users meet it.

// A refusal that does not come is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "e2e/channels.rs"]
mod channels;
#[path = "e2e/chaos.rs"]
mod chaos;
#[path = "e2e/clients.rs"]
mod clients;
#[path = "e2e/contract.rs"]
mod contract;
#[path = "e2e/failover.rs"]
mod failover;
#[path = "e2e/failure.rs"]
mod failure;
#[path = "e2e/live.rs"]
mod live;
#[path = "e2e/pages.rs"]
mod pages;
#[path = "e2e/personal.rs"]
mod personal;
#[path = "e2e/pipeline.rs"]
mod pipeline;
#[path = "e2e/publishing.rs"]
mod publishing;
#[path = "e2e/users.rs"]
mod users;
