"""The plain webhook's messages against the schema that we ship for those who receive them."""

import copy
import json
import pathlib
import sys

import jsonschema

import golden

SCHEMA, *FOLDERS = sys.argv[1:]
SCHEMA = json.loads(pathlib.Path(SCHEMA).read_text())
KIND = jsonschema.validators.validator_for(SCHEMA)
KIND.check_schema(SCHEMA)
VALIDATOR = KIND(SCHEMA, format_checker=KIND.FORMAT_CHECKER)


def check(body, _request):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(body)]


def wrong():
    """A good message without each member that must be there, and with each of another type."""
    found = next(golden.messages(FOLDERS[0]), None)
    if found is None:
        return []
    _, _, good = found
    changed = [("an empty one", {}), ("no object", [])]
    for name in SCHEMA.get("required", []):
        without = copy.deepcopy(good)
        without.pop(name, None)
        changed += [(f"no {name}", without), (f"{name} as a list in a list", {**good, name: [[]]})]
    return changed


golden.run(check, FOLDERS, wrong())
