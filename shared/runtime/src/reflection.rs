use tonic_reflection::server::{Builder, Error};

fn descriptors() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(tributary_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Adds reflection to `routes`, v1 and v1alpha: older tools know the latter only.
pub(crate) fn add(
    routes: &mut tonic::service::RoutesBuilder,
    services: &[&'static str],
) -> Result<(), Error> {
    let named = || {
        let health = ["grpc.health.v1.Health"];
        services
            .iter()
            .chain(&health)
            .fold(descriptors(), |builder, name| builder.with_service_name(*name))
    };
    routes.add_service(named().build_v1()?);
    routes.add_service(named().build_v1alpha()?);
    Ok(())
}
