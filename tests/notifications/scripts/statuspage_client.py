"""The client that is generated from Statuspage's own description drives the fake."""

import sys

import atlassian_statuspage as statuspage
from atlassian_statuspage.rest import ApiException

URL, KEY, PAGE, COMPONENT = sys.argv[1:]


def incidents(key):
    configuration = statuspage.Configuration()
    configuration.host = f"{URL}/v1"
    # New ones: all configurations share the first.
    configuration.api_key, configuration.api_key_prefix = {"Authorization": key}, {"Authorization": "OAuth"}
    return statuspage.IncidentsApi(statuspage.ApiClient(configuration))


api = incidents(KEY)
opened = api.post_pages_page_id_incidents({"incident": {
    "name": "Errors", "status": "investigating", "body": "We look.", "impact_override": "minor",
    "component_ids": [COMPONENT], "components": {COMPONENT: "partial_outage"},
    "deliver_notifications": False, "metadata": {"backstop": {"incident": "i"}}}}, PAGE)
assert opened.status == "investigating" and opened.metadata == {"backstop": {"incident": "i"}}, opened
found = api.get_pages_page_id_incidents_unresolved(PAGE)
assert [one.id for one in found] == [opened.id], found
resolved = api.patch_pages_page_id_incidents_incident_id(
    {"incident": {"status": "resolved", "body": "Over."}}, PAGE, opened.id)
assert [update.body for update in resolved.incident_updates] == ["Over.", "We look."], resolved
assert api.get_pages_page_id_incidents_unresolved(PAGE) == []
for other, status in ((incidents("other"), 401), (api, 404)):
    try:
        other.get_pages_page_id_incidents_unresolved("other" if status == 404 else PAGE)
    except ApiException as error:
        assert error.status == status, error
    else:
        sys.exit(f"no {status}")
print("6 answers understood")
