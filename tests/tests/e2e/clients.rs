//! Clients in other languages, each by the means it offers: generated code, reflection.

use std::{env, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tributary_e2e::{Mesh, repository, run};

const USER: &str = "196";

#[test]
fn clients_of_other_languages_get_the_same_list() -> Result<()> {
    let mesh = Mesh::start()?;
    let address = mesh.address("gateway").replace("http://", "");
    let python = python(&address)?;
    ensure!(python.len() == 10, "{python:?}");
    ensure!(python == grpcurl(&address)?, "grpcurl differs");
    ensure!(python == buf_curl(&address)?, "buf curl differs");
    reflection_lists_the_services(&address)
}

fn tool(variable: &str, default: &str) -> String {
    env::var(variable).unwrap_or_else(|_| repository().join(default).to_string_lossy().into_owned())
}

/// grpcio, with code generated from the protos.
fn python(address: &str) -> Result<Vec<u64>> {
    let text = run(Command::new(tool("TRIBUTARY_PYTHON", ".tools/python/bin/python"))
        .arg("tests/clients/recommend.py")
        .args(["proto", address, USER, "10"]))?;
    text.lines().map(|line| line.parse().context("not an id")).collect()
}

fn body() -> String {
    format!(r#"{{"user_id": "{USER}", "size": 10}}"#)
}

/// Speaks reflection v1alpha.
fn grpcurl(address: &str) -> Result<Vec<u64>> {
    let text = run(Command::new(tool("TRIBUTARY_GRPCURL", ".tools/grpcurl"))
        .args(["-plaintext", "-d", &body(), address])
        .arg("tributary.gateway.v1.GatewayService/Recommend"))?;
    ids(&text)
}

/// Speaks reflection v1.
fn buf_curl(address: &str) -> Result<Vec<u64>> {
    let url = format!("http://{address}/tributary.gateway.v1.GatewayService/Recommend");
    let text = run(Command::new(tool("TRIBUTARY_BUF", ".tools/python/bin/buf")).args([
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        "--data",
        &body(),
        &url,
    ]))?;
    ids(&text)
}

fn ids(text: &str) -> Result<Vec<u64>> {
    let answer: Value = serde_json::from_str(text)?;
    let items = answer["items"].as_array().with_context(|| format!("no items in {answer}"))?;
    items
        .iter()
        .map(|item| {
            let id = item["itemId"].as_str().with_context(|| format!("no id in {item}"))?;
            id.parse().context("not an id")
        })
        .collect()
}

fn reflection_lists_the_services(address: &str) -> Result<()> {
    let grpcurl = tool("TRIBUTARY_GRPCURL", ".tools/grpcurl");
    let services = run(Command::new(grpcurl).args(["-plaintext", address, "list"]))?;
    for name in ["tributary.gateway.v1.GatewayService", "grpc.health.v1.Health"] {
        ensure!(services.contains(name), "{name} is not in {services}");
    }
    Ok(())
}
