//! Messages and services of the mesh, generated from `tributary/<name>/v1/*.proto`.
//!
//! The protos hold the documentation; the generated code repeats it.

/// Declares `<name>::v1` from the generated file of that package.
macro_rules! package {
    ($name:ident) => {
        #[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/tributary.", stringify!($name), ".v1.rs"));
            }
        }
    };
}

package!(entity);
package!(feature);
package!(gateway);
package!(ranking);
package!(recall);
package!(rerank);

/// Every file of the protos, encoded, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Response metadata of `WatchItems` and `WatchEvents`: the store's name. Where it differs from that
/// of an earlier stream, the store was replaced, whatever its sequence numbers, and what was built
/// from the earlier one is to be forgotten.
pub const STORE_METADATA: &str = "x-tributary-store";
