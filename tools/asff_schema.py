"""Makes testdata/schemas/asff.schema.json from botocore's description of Security Hub (service-2.json, Apache-2.0).

    .venv/bin/python tools/asff_schema.py > testdata/schemas/asff.schema.json

Shapes become JSON Schema: required members, patterns, enumerations, numbers of entries. Lengths that the description
states only in words ("Maximum length of 256") are taken from there. `Details` of resources, 600 shapes of other services,
are left open.
"""

import json
import re
import sys

import botocore.loaders

MAXIMUM = re.compile(r"Length Constraints: ?(?:.*?Maximum (?:length )?of )?(\d+)", re.S)
MINIMUM = re.compile(r"Length Constraints:.*?Minimum (?:length )?of (\d+)", re.S)


def main() -> None:
    shapes = botocore.loaders.Loader().load_service_model("securityhub", "service-2")["shapes"]
    definitions = {}

    def reference(name: str, documentation: str = "") -> dict:
        define(name)
        found = {"$ref": f"#/$defs/{name}"}
        if shapes[name]["type"] == "string":
            text = documentation + shapes[name].get("documentation", "")
            if match := MAXIMUM.search(text):
                found["maxLength"] = int(match[1])
            if match := MINIMUM.search(text):
                found["minLength"] = int(match[1])
        return found

    def define(name: str) -> None:
        if name in definitions:
            return
        definitions[name] = {}
        definitions[name] = {"type": "object"} if name == "ResourceDetails" else schema(shapes[name])

    def schema(shape: dict) -> dict:
        kind = shape["type"]
        if kind == "structure":
            members = {name: reference(to["shape"], to.get("documentation", "")) for name, to in shape["members"].items()}
            return {
                "type": "object",
                "additionalProperties": False,
                "required": shape.get("required", []),
                "properties": members,
            }
        if kind == "list":
            found = {"type": "array", "items": reference(shape["member"]["shape"])}
            found |= {to: shape[name] for name, to in (("min", "minItems"), ("max", "maxItems")) if name in shape}
            return found
        if kind == "map":
            return {
                "type": "object",
                "propertyNames": reference(shape["key"]["shape"]),
                "additionalProperties": reference(shape["value"]["shape"]),
            }
        if kind == "string":
            found = {"type": "string"}
            found |= {to: shape[name] for name, to in (("enum", "enum"), ("pattern", "pattern")) if name in shape}
            found |= {to: shape[name] for name, to in (("min", "minLength"), ("max", "maxLength")) if name in shape}
            return found
        kinds = {"integer": "integer", "long": "integer", "double": "number", "float": "number", "boolean": "boolean", "timestamp": "string"}
        found = {"type": kinds[kind]}
        found |= {to: shape[name] for name, to in (("min", "minimum"), ("max", "maximum")) if name in shape}
        return found

    define("BatchImportFindingsRequest")
    # In words only: up to 50 product fields, 128 and 2048 characters; at most 50 types; at most 32 resources.
    finding = definitions["AwsSecurityFinding"]["properties"]
    finding["ProductFields"] |= {"maxProperties": 50, "propertyNames": {"maxLength": 128}, "additionalProperties": {"maxLength": 2048}}
    finding["Types"] |= {"maxItems": 50}
    finding["Resources"] |= {"minItems": 1, "maxItems": 32}
    json.dump(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$comment": f"made by tools/asff_schema.py from botocore {botocore.__version__}; see botocore.LICENSE and botocore.NOTICE",
            "$ref": "#/$defs/BatchImportFindingsRequest",
            "$defs": dict(sorted(definitions.items())),
        },
        sys.stdout,
        indent=1,
    )
    print()


main()
