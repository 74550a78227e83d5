"""Statuspage's requests against the models that are generated from Statuspage's own description."""

import sys

from atlassian_statuspage.models.component import Component
from atlassian_statuspage.models.patch_pages_page_id_incidents_incident import PatchPagesPageIdIncidentsIncident
from atlassian_statuspage.models.post_pages_page_id_incidents_incident import PostPagesPageIdIncidentsIncident

import golden

TYPES = {"str": str, "bool": bool, "list[str]": list, "object": dict}


def check(body, request):
    if set(body) != {"incident"} or not isinstance(body["incident"], dict):
        return ["not one incident"]
    incident = body["incident"]
    # Opening one needs a name; an update has a type of its own.
    is_opened = request.startswith("POST") or not request
    model = PostPagesPageIdIncidentsIncident if is_opened else PatchPagesPageIdIncidentsIncident
    if is_opened and not incident.get("name"):
        return ["no name"]
    names = {outside: inside for inside, outside in model.attribute_map.items()}
    problems = [f"unknown: {name}" for name in incident if name not in names]
    for name, value in incident.items():
        wanted = TYPES.get(model.swagger_types.get(names.get(name), ""))
        if wanted and not isinstance(value, wanted):
            problems.append(f"{name} is no {wanted.__name__}")
    try:
        # Their setters know the values that there are.
        known = {names[name]: value for name, value in incident.items() if name in names}
        model(**known)
        for status in (incident.get("components") or {}).values():
            Component(status=status)
    except ValueError as error:
        problems.append(str(error))
    if "status" not in incident:
        problems.append("no status")
    if not incident.get("body"):
        problems.append("nothing to read")
    for identifier in incident.get("components") or {}:
        if identifier not in incident.get("component_ids", [identifier]):
            problems.append(f"{identifier} is not among component_ids")
    return problems


def incident(**parts):
    return {"incident": {"name": "n", "status": "investigating", "body": "b", **parts}}


assert not check(incident(), ""), check(incident(), "")
WRONG = [
    ("no incident", {"name": "n"}),
    ("no name", {"incident": {"status": "investigating", "body": "b"}}),
    ("a status that is none", incident(status="open")),
    ("an impact that is none", incident(impact_override="huge")),
    ("a component's status that is none", incident(components={"c": "down"})),
    ("an unknown member", incident(severity="high")),
    ("a text where a flag belongs", incident(deliver_notifications="no")),
    ("nothing to read", incident(body="")),
]

golden.run(check, sys.argv[1:], WRONG)
