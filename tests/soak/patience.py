"""How long a soak's processes wait: leases, time-outs and windows are seconds, so that a run can wait for them.

A lease has to outlast a call, here as in production: 0.85 of it is more than connecting and reading may take together.
"""

from sms_connector.model.policy import Policy
from sms_connector.transport.settings import TransportSettings

POLICY = Policy(lease_seconds=4.0, clock_skew=0.2, call_seconds=2.6, unknown_window=5.0, resend_after=1.0)
TIMING = TransportSettings(connect_timeout=1.0, read_timeout=1.5, total_timeout=10.0)
