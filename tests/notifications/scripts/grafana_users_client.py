"""A client for Grafana that its users maintain drives the fake."""

import sys

from grafana_client import GrafanaApi, TokenAuth
from grafana_client.client import GrafanaClientError

URL, TOKEN = sys.argv[1:]
grafana = GrafanaApi.from_url(URL, credential=TokenAuth(token=TOKEN))

assert grafana.organization.get_current_organization()["id"] == 1
added = grafana.annotations.add_annotation(
    dashboard_uid="canary", time_from=1000, tags=["spark-canary", "rollback"], text="Rolled back")
assert added["message"] == "Annotation added", added
grafana.annotations.partial_update_annotation(
    added["id"], time_to=2000, tags=["spark-canary", "rollback"], text="Rolled back")
found = grafana.annotations.find_annotations(tags=["spark-canary", "rollback"], limit=10)
assert [(one["id"], one["time"], one["timeEnd"]) for one in found] == [(added["id"], 1000, 2000)], found
assert grafana.annotations.find_annotations(tags=["other"]) == []
try:
    GrafanaApi.from_url(URL, credential=TokenAuth(token="other")).organization.get_current_organization()
except GrafanaClientError as error:
    assert error.status_code == 401, error
else:
    sys.exit("accepted another token")
print("6 answers understood")
