"""In which terms do Google's services and their local likeness speak? Raw protocol buffers, and refusals."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from google.cloud import monitoring_v3, run_v2, secretmanager_v1
from google.longrunning import operations_pb2
from google.protobuf import timestamp_pb2

Raw: TypeAlias = Any
"""A raw protocol buffer: its fields are made at run time, so no type can be given."""


def raw(cls: Raw) -> Raw:
    """The raw class behind a client library's wrapper; the wrapper is slow and forgives what the wire does not."""
    return type(cls.pb(cls()))


Service = raw(run_v2.Service)
Revision = raw(run_v2.Revision)
Condition = raw(run_v2.Condition)
TrafficTargetStatus = raw(run_v2.TrafficTargetStatus)
GetServiceRequest = raw(run_v2.GetServiceRequest)
ListServicesRequest = raw(run_v2.ListServicesRequest)
ListServicesResponse = raw(run_v2.ListServicesResponse)
CreateServiceRequest = raw(run_v2.CreateServiceRequest)
UpdateServiceRequest = raw(run_v2.UpdateServiceRequest)
GetRevisionRequest = raw(run_v2.GetRevisionRequest)
ListRevisionsRequest = raw(run_v2.ListRevisionsRequest)
ListRevisionsResponse = raw(run_v2.ListRevisionsResponse)
ListTimeSeriesRequest = raw(monitoring_v3.ListTimeSeriesRequest)
ListTimeSeriesResponse = raw(monitoring_v3.ListTimeSeriesResponse)
AccessSecretVersionRequest = raw(secretmanager_v1.AccessSecretVersionRequest)
AccessSecretVersionResponse = raw(secretmanager_v1.AccessSecretVersionResponse)
GetSecretVersionRequest = raw(secretmanager_v1.GetSecretVersionRequest)
SecretVersion = raw(secretmanager_v1.SecretVersion)
Operation: Raw = operations_pb2.Operation
GetOperationRequest: Raw = operations_pb2.GetOperationRequest
WaitOperationRequest: Raw = operations_pb2.WaitOperationRequest
Timestamp: Raw = timestamp_pb2.Timestamp

PENDING = int(run_v2.Condition.State.CONDITION_PENDING)
RECONCILING = int(run_v2.Condition.State.CONDITION_RECONCILING)
FAILED = int(run_v2.Condition.State.CONDITION_FAILED)
SUCCEEDED = int(run_v2.Condition.State.CONDITION_SUCCEEDED)
LATEST = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
BY_NAME = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)
RESERVE = int(run_v2.Condition.RevisionReason.RESERVE)
CONTAINER_FAILED = int(run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR)
INGRESS_ALL = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL)

Code = grpc.StatusCode


class Refusal(Exception):
    """What a call ends with instead of an answer."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
