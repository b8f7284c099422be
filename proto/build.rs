//! Compiles the protos without protoc and keeps the descriptor set for reflection.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 6] = [
    "tributary/entity/v1/entity.proto",
    "tributary/feature/v1/feature.proto",
    "tributary/recall/v1/recall.proto",
    "tributary/ranking/v1/ranking.proto",
    "tributary/rerank/v1/rerank.proto",
    "tributary/gateway/v1/gateway.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=tributary");
    Ok(())
}
