"""Our HTTP surface. `build_api(services)` is the whole of it."""

from sms_connector.api.entry import ROUTES, build_api
from sms_connector.api.route import Answer, Call, ConnectionProfile, Route, Services

__all__ = ["ROUTES", "Answer", "Call", "ConnectionProfile", "Route", "Services", "build_api"]
