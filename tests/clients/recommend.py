"""Asks a gateway for a list with a client generated from the protos by grpcio-tools.

usage: recommend.py PROTO_FOLDER HOST:PORT USER SIZE
Prints one item id a line.
"""

import importlib
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc


def generate(protos: Path, target: str) -> None:
    files = [str(path.relative_to(protos)) for path in protos.rglob("*.proto")]
    code = protoc.main(
        ["protoc", f"-I{protos}", f"--python_out={target}", f"--grpc_python_out={target}", *files]
    )
    if code != 0:
        raise SystemExit(f"protoc ended with {code}")


def main() -> None:
    protos, address, user, size = sys.argv[1:]
    with tempfile.TemporaryDirectory() as target:
        generate(Path(protos).resolve(), target)
        sys.path.insert(0, target)
        messages = importlib.import_module("tributary.gateway.v1.gateway_pb2")
        stubs = importlib.import_module("tributary.gateway.v1.gateway_pb2_grpc")
        with grpc.insecure_channel(address) as channel:
            gateway = stubs.GatewayServiceStub(channel)
            request = messages.RecommendRequest(user_id=int(user), size=int(size))
            for item in gateway.Recommend(request, timeout=10).items:
                print(item.item_id)
            try:
                gateway.Recommend(messages.RecommendRequest(user_id=int(user), size=501))
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
                assert "size" in error.details(), error
            else:
                raise SystemExit("size 501 was accepted")


main()
