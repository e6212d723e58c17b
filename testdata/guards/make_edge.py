"""Writes edge.jsonl: records that exercise the rules of this directory, and the same with broken fields.

    python3 make_edge.py          writes edge.jsonl beside this file
    python3 make_edge.py --check  fails when edge.jsonl is not what would be written

The same input gives the same bytes. First come the positive events of the idiom packs and some of their
negative ones, then the records of the traps, then mutations of both. The order matters to traps that count.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent

# What the traps are triggered by, one record a line: `s` is the service, `n` the eventName (left out: no such
# key), `rp` the requestParameters, `re` the responseElements, `ui` goes into userIdentity, all else is taken as it is.
TRAPS = r"""
{"n": "TrapAppended"}
{"n": "TrapAdded"}
{"s": "learn", "n": "TrapLearnedToo"}
{"n": "TrapLearnedToo"}
{"n": "TrapOrAssigned"}
{"n": "TrapAliased"}
{"n": "TrapSliced"}
{"s": "trap", "n": "TrapExcepted"}
{"n": "TrapFilled"}
{"n": "TrapMeddled"}
{"n": "TrapFromLaterRule"}
{"n": "TrapLooped"}
{"n": "TrapWith"}
{"n": "TrapImported"}
{"n": "TrapStarred"}
{"n": "TrapGlobal"}
{"n": "TrapConditional"}
{"n": "TrapFallback"}
{"s": "trap", "n": "TrapNotQuiet"}
{"s": "trap", "n": "TrapShadowedLength"}
{"n": "TrapAny"}
{"s": "trap", "n": "TrapRebound"}
{"n": "TrapSet"}
{"s": "trap", "n": "TrapBool"}
{"s": "decorated", "n": "TrapDecorated"}
{"n": "TrapAlso"}
{"s": "one", "n": "TrapCached"}
{"s": "two", "n": "TrapCached"}
{"n": "TrapDefault"}
{"n": "TrapEarly"}
{"s": "trap", "n": "TrapWalrus", "rp": {"a": 1}}
{"n": "TrapLast"}
{"s": "chain", "n": "StopLogging"}
{"n": "TrapMixed", "eventType": "TrapMixed"}
{"n": "TrapAZ", "awsRegion": "us-east-1"}
{"s": "trap", "n": "TrapNotIn"}
{"s": "swallow", "n": "TrapSwallowed"}
{"s": "finally", "n": "TrapFinally"}
{"s": "tryelse", "n": "TrapElse"}
{"s": "suppress", "n": "TrapSuppressed"}
{"n": "TrapGenerated"}
{"s": "usedup", "n": "StopLogging"}
{"n": "TrapPart"}
{"n": ""}
{"n": "T"}
{"n": "TrapFlag", "trapFlag": true}
{"n": "TrapFlag", "trapFlag": 1.0}
{"n": "TrapFlag", "trapFlag": 7.0}
{"n": "TrapZero", "trapZero": 0}
{"n": "TrapZero", "trapZero": -0.0}
{"n": "TrapOrder"}
{"n": "TrapLambda"}
{"n": "TrapFactory"}
{"n": "TrapElsewhere"}
{"n": "TrapSecond"}
{"n": "TrapDeleted"}
{"n": "TrapBranch"}
{"n": "TrapClosure"}
{"n": "TrapPartial"}
{"n": "TrapCallable"}
{"n": "TrapEqual"}
{"n": "TrapContains"}
{"n": "TrapMissing"}
{"n": "TrapGrown"}
{"n": "TrapSubclass"}
{"n": "TrapFacade"}
{"n": "TrapDynamic"}
{"n": "TrapCycle"}
{"s": "rebound", "n": "TrapRebound"}
{"n": "TrapCopy", "rp": {"trap": "copy"}}
{"n": "TrapRenamedV2"}
{"n": "TrapKey", "eventType": "otherX", "otheName": "x", "otherName": "StopLogging"}
{"n": "TrapUnhashable", "rp": {"a": "b"}}
{"n": ["StopLogging"]}
{"n": "TrapLookup", "re": {"x": 1}}
{"s": "none", "n": null}
{"s": "default", "n": null}
{"n": "TrapNull", "trapNull": null}
{"n": "TrapSubscript"}
{"n": "Trap\u212a"}
{"n": "Trap\u0130"}
{"n": "Trap\u00df"}
{"n": "Trap\u00dfx"}
{"n": "\u3000TrapSpace\u00a0"}
{"n": "\u00b2"}
{"n": "TrapPrefix"}
{"n": "TrapPrefixes"}
{"n": "TrapInNone"}
{"n": "TrapNumber", "trapNumber": 1}
{"n": "TrapRequired"}
{"n": "TrapWhile", "ui": {"next": {"next": {"name": "trap-while"}}}}
{"n": "TrapRecursion", "rp": {"a": [{"b": ["trap-recursion"]}]}}
{"n": "TrapPrinted"}
{"n": "TrapCounted"}
{"n": "TrapStepped"}
{"s": "notebook", "n": "TrapNoted"}
{"n": "TrapWritten"}
{"n": "TrapReadBack"}
{"n": "TrapClock"}
{"n": "TrapChance"}
{"n": "TrapEnvironment"}
{"n": "TrapNested"}
{"s": "local", "n": "TrapLocal"}
{"n": "TrapNonlocal"}
{"s": "loopelse", "n": "TrapElse"}
{"s": "trap", "n": "TrapContinue"}
{"s": "assert", "n": "TrapAssert"}
{"s": "raise", "n": "TrapRaised"}
{"n": "TrapExit"}
{"s": "star", "n": "TrapStar"}
{"n": "DescribeRegions", "rp": {"name": "TrapKeyword"}}
{"n": "TrapIs"}
{"n": "TrapEmpty", "trapEmpty": ""}
{"n": "TrapEmpty", "trapEmpty": 0}
{"n": "TrapOperand", "trapOperand": "0"}
{"s": "oror", "n": "TrapOr"}
{"n": "TrapBig", "trapBig": 9007199254740993}
{"n": "TrapFloat", "trapFloat": 0.30000000000000004}
{"n": "TrapNan"}
{"n": "TrapTwiceLast"}
{"n": "TrapList", "trapList": [[true, "a"], []]}
{"n": "TrapIndex", "trapItems": ["first", "last"]}
{"n": "TrapIndex", "trapItems": []}
{"n": "TrapAbAb"}
{"n": "TrapFormat"}
{"s": "join", "n": "TrapJoin", "trapJoined": "yes"}
{"n": "TrapSorted"}
{"n": "TrapClass"}
{"n": "TrapDict", "rp": {"list": [true], "trap": 1}}
{"s": "fields", "n": "TrapFields"}
{"n": "TrapMixedSet", "trapMixed": 404.0}
{"n": "TrapPort", "trapPort": 22.0}
{"n": "TrapPort", "trapPort": true}
{"n": "TRAP\nFlags"}
{"n": "Trap\u212as"}
{"n": "TrapKs\n"}
{"n": "Trap\u0663\u00e9"}
{"n": "TrapNatch\nMore"}
{"s": "zip", "n": "TrapZip"}
{"n": "TrapMax", "trapNumbers": []}
{"n": "TrapMax", "trapNumbers": [9]}
{"n": "TrapNext", "trapFirst": []}
{"n": "TrapInt", "trapInt": " 7_0 "}
{"n": "TrapInt", "trapInt": "x"}
{"n": "TrapDivisor", "trapDivisor": 0}
{"n": "TrapDivisor", "trapDivisor": 0.01}
{"n": "TrapPair", "trapPair": "a:b:c"}
{"n": "TrapPair", "trapPair": "c:c"}
{"n": "Trap\ud800"}
{"s": "surrogate", "n": "Trap\udfff"}
{"n": "TrapDepth", "trapDepth": 5000}
{"n": "TrapDepth", "trapDepth": 9}
{"n": "TrapSeverity"}
{"n": "TrapCaptured"}
{"n": ["x", "trap"]}
{"n": "TrapScope"}
{"n": "TrapBody"}
{"n": "TrapInherited"}
{"s": "method", "n": "TrapMethod"}
{"n": "TrapLevels", "requestParameters": "text"}
{"n": "TrapLength"}
{"n": "TrapLength", "trapLength": 4}
{"s": "supplied", "n": "TrapSupplied", "p_log_type": "Trap.Log"}
{"s": "supplied", "n": "TrapSupplied", "p_log_type": null}
{"n": "TrapRepr", "trapNumber": 1e+22, "trapFlag": true}
{"n": "TrapRepr"}
{"n": "TrapRepr", "trapNumber": 1.0, "trapFlag": false}
{"s": "inrule", "n": "TrapInRule"}
{"n": "TrapInRule"}
{"n": "TrapRest"}
{"n": "TrapUnbound"}
{"n": "TrapMain"}
{"n": "StopLoggingTrapComma"}
{"n": "Trapescape"}
{"n": "TrapIdentifier"}
{"n": "TrapPrivate"}
{"n": "TrapLiteral", "trapNumber": 16.0}
{"n": "TrapLiteral", "trapNumber": 3}
{"n": "TrapCaf\u00e9"}
{"n": "Trap\u00c3\u0089"}
{"n": "TrapReturn"}
{"n": "TrapFeed"}
{"n": "TrapAnything"}
{"n": "TrapArgs"}
{"n": "TrapParameterName"}
{"n": "TrapRuleDefault"}
{"n": "TrapEager"}
{"n": "TrapTuple"}
{"s": "printed", "n": "TrapPrint"}
{"s": "starts", "n": "TrapForms"}
{"n": "Trap\u001fSplit"}
{"n": "Trap\u2028Line"}
{"n": "TrapOther"}
{"n": "TrapAlgebra"}
{"n": "TrapMerge"}
{"n": "TrapPackage"}
{"n": "TrapChild"}
{"n": "TrapNear"}
{"n": "TrapFirst"}
{"n": "TrapStop", "trapList": []}
{"n": "TrapStop", "trapList": ["trap"]}
{"n": "TrapShown", "trapShown": null}
{"s": "nothing"}
{"n": "TrapClause"}
{"n": "TrapLate"}
{"n": "TrapStored"}
{"n": "TrapChanged"}
{"n": "TrapPatched"}
{"n": "TrapUncovered"}
{"n": "TrapSetattr"}
{"n": "TrapRenamedSetattr"}
{"n": "TrapGlobals"}
{"n": "TrapVars"}
{"n": "TrapDunderDict"}
{"n": "TrapLocals"}
{"n": "TrapExec"}
{"n": "TrapEval"}
{"n": "TrapExecRule"}
{"n": "TrapModules"}
{"n": "TrapSelf"}
{"n": "TrapFrame"}
{"n": "TrapFunctionGlobals"}
{"n": "TrapCode"}
{"n": "TrapDefaults"}
{"n": "TrapSetitem"}
{"s": "trap", "n": "TrapBoundAdd"}
{"n": "TrapMapped"}
{"n": "TrapContained"}
{"n": "TrapReturned"}
{"n": "TrapLoopAlias"}
{"n": "TrapParameter"}
{"n": "TrapInstance"}
{"n": "TrapClassAttribute"}
{"n": "TrapMeta"}
{"n": "TrapBuiltin"}
{"s": "trap", "n": "TrapDunderBuiltins"}
{"n": "TrapMock"}
{"n": "TrapCollector"}
{"n": "TrapByName"}
{"s": "lazy", "n": "TrapLazy"}
{"n": "TrapLazy"}
{"n": "TrapEventClass"}
{"n": "TrapFnmatch"}
{"n": "TrapProperty"}
{"s": "truth", "n": "TrapTruth"}
{"n": "TrapThread"}
{"n": "TrapDecoded"}
{"n": "TrapShallow"}
{"n": "TrapShadow"}
{"n": "TrapAttribute"}
{"n": "TrapDescriptor"}
{"n": "TrapInstanceCheck"}
{"EVENTNAME": "TrapKeyCase"}
{"eventname": "TrapKeyCase"}
{"n": "TrapCase", "ui": {"type": null}, "userIdentity": {"TYPE": "TrapCaseType"}}
{"n": "TrapCaseLow"}
{"n": "TrapCollision", "trapKey": "first", "trapkey": "second"}
{"n": "TrapHere", "trapHere": 1}
{"n": "TrapNull", "trapText": null}
{"n": "TrapDefault", "trapDefault": null}
{"s": "missing"}
{"n": "TrapNone"}
{"n": "TrapOperand"}
{"n": "TrapOperand", "trapOperand": ""}
{"n": "TrapErrorCode", "errorCode": "AccessDenied"}
{"n": "TrapList"}
{"n": "TrapMatch"}
{"n": "TrapZero"}
{"n": "TrapMask", "trapMask": 0}
{"s": "notall", "n": "TrapNotAll"}
{"n": "TrapDedup"}
{"n": "TrapUdmEvent"}
{"n": "StartLogging", "p_udm": {"eventName": "TrapUdmField"}}
{"n": "TrapSubject"}
{"n": "TrapCalls"}
{"n": "TrapUdmDefault", "requestParameters": {"trap": null}}
{"n": "TrapMany", "rp": {"items": [{"id": "only"}]}}
{"n": "TrapMany", "rp": {"items": [{"id": "a"}, {"id": "b"}]}}
{"n": "TrapLogType"}
{"n": "TrapItems", "trapItems": ["a", "b"]}
{"n": "TrapItems", "trapItems": ["a", "c"]}
{"n": "TrapObject", "rp": {"Trap": 1}}
{"n": "TrapMapping", "rp": {"TrapCase": 1}}
{"n": {"x": 1}}
{"n": "TrapDeep", "rp": {"name": null}}
{"n": "TrapStrict", "requestParameters": "text"}
{"n": "TrapOrder", "ui": {"accountId": "TrapBackward"}}
{"n": "TrapWalk", "trapWalk": [{"id": "x1"}, {"id": "x1"}]}
{"n": "TrapWalk", "trapWalk": [{"id": "x1"}, {"id": "x2"}]}
{"n": "TrapCodes", "errorCode": "TrapCode"}
{"n": "TrapTwoNames"}
{"n": "TrapInverted", "errorCode": "AccessDenied"}
{"n": "TrapCollected"}
{"s": "memo", "n": "TrapMemo"}
{"s": "memo", "n": "TrapMemoOther"}
{"n": "TrapReexported"}
{"n": "TrapShared", "awsRegion": "eu-west-1"}
{"n": "TrapShared", "awsRegion": "eu-west-2"}
{"n": "TrapShared", "awsRegion": "eu-west-3"}
{"s": "filter"}
{"EVENTNAME": "TrapFilterCase"}
{"s": "negated", "n": 17}
{"s": "detection"}
{"s": "detection", "n": "TrapDetection"}
{"n": "TrapBase"}
{"n": "TrapCounter"}
{"s": "strings", "n": "TrapStringsWritten", "awsRegion": "trap-region-1"}
{"n": "TrapStrings"}
{"n": "TrapLookup"}
{"n": "TrapTable"}
{"n": 7}
{"n": "TrapRow"}
{"n": "TrapConfigured"}
{"s": "assign", "n": "TrapAssign"}
{"s": "merge", "n": "TrapMerged"}
{"n": "TrapUnpacked"}
{"n": "TrapTime", "eventTime": "1999-12-31T10:00:00Z"}
{"s": "reasons", "n": "TrapReasons"}
{"n": "TrapSort"}
{"n": "TrapSort", "trapSort": "a"}
{"n": "TrapTrue", "trapTrue": true}
{"n": "NoTrapFound"}
{"n": "No such part"}
{"n": "TrapSplit", "ui": {"arn": "arn:aws:iam::111122223333:root"}}
{"n": "TrapUpper\u00df"}
{"n": "trap_title"}
{"n": "TrapQueue"}
{"s": "pop", "n": "TrapPop"}
{"s": "view", "n": "TrapView"}
{"s": "rds", "n": "CreateDBSnapshot\n"}
{"s": "ec2", "n": "STOPINSTANCES"}
{"s": "iam", "n": "putUserPermissionsBoundary"}
{"s": "es", "rp": {"accessPolicies": "*"}}
{"s": "sns", "n": "PutPolicy"}
{"s": "ec2", "n": "DeleteLog"}
{"s": "waf", "n": "IPSet"}
{"n": "TrapOperandKept"}
{"n": "TrapElementCompared"}
{"n": "TrapOperatorAssigned"}
{"n": "TrapComparedInHelper"}
{"n": "TrapElementSliced"}
{"n": "TrapElementGot"}
"""

# JSON texts that stand in for a field's value.
WRONG = (
    "null", '""', "0", "1", "-0.0", "1.0", "true", "false", "[]", "{}", '[null]', '["StopLogging"]',
    '{"eventName": "StopLogging"}', '" "', '"\\ud800"', '"\\u0000"', "9007199254740993",
    "123456789012345678901234567890", "1e300", '[[["deep"]]]', '{"": {"": null}}',
)
# Spellings of a name that are equal to it only for some meaning of "equal".
SPELLINGS = (
    str.lower, str.upper, str.swapcase, lambda name: name + " ", lambda name: "\u3000" + name,
    lambda name: name + "\n", lambda name: name.replace("i", "\u0130"), lambda name: name.replace("I", "\u0131"),
    lambda name: name.replace("k", "\u212a").replace("K", "\u212a"), lambda name: name.replace("s", "\u017f"),
    lambda name: name.replace("s", "\u00df"), lambda name: name + "\u0301",
    lambda name: "".join(chr(ord(c) + 0xFEE0) for c in name), lambda name: name[:-1], lambda name: name[:4],
    lambda name: name + "V2", lambda name: name + "\ud83d", lambda name: name + "\U0001f600", lambda name: name[::-1],
)
GUARDED = (
    ("eventName",), ("eventSource",), ("errorCode",), ("errorMessage",), ("userIdentity",), ("userIdentity", "type"),
    ("userIdentity", "arn"), ("userIdentity", "invokedBy"), ("userIdentity", "principalId"), ("requestParameters",),
    ("responseElements",), ("sourceIPAddress",), ("userAgent",), ("recipientAccountId",), ("readOnly",), ("awsRegion",),
    ("additionalEventData",), ("eventTime",), ("p_udm",),
)
ESCAPED = {"eventName": '"\\u0065ventName"', "eventSource": '"event\\u0053ource"', "errorCode": '"error\\u0043\\u006fde"'}


class Text(str):
    """JSON as it is to be written."""


class Twice(list):
    """An object as (key text, value) pairs: keys may repeat and may be escaped."""


def written(value):
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, Twice):
        return "{" + ", ".join(f"{key}: {written(one)}" for key, one in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    return json.dumps(value)


def pairs(record):
    return Twice((json.dumps(key), value) for key, value in record.items())


def base(changes):
    changes = dict(changes)
    identity = {
        "type": "IAMUser",
        "principalId": "AIDAIOSFODNN7EXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "alice",
    }
    identity.update(changes.pop("ui", {}))
    record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": "2025-03-04T10:00:00Z",
        "eventSource": changes.pop("s", "ec2") + ".amazonaws.com",
        "eventName": changes.pop("n", ...),
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.24",
        "userAgent": "aws-cli/2.17.32",
        "requestParameters": changes.pop("rp", None),
        "responseElements": changes.pop("re", None),
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }
    record.update(changes)
    return {key: value for key, value in record.items() if value is not ...}


def tests():
    """(expected, event) of the metadata of the idiom packs; the events are written as JSON there."""
    for path in sorted([*HERE.glob("idioms_*/*.yml"), *HERE.glob("idioms_panther/rules/*.yml")]):
        expected = None
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.strip().partition(": ")
            if key == "ExpectedResult":
                expected = value == "true"
            elif key == "Log":
                event = json.loads(value)
                del event["eventID"]
                yield expected, event


def put(record, path, value):
    """The record with another value at a path; `...` takes the key away."""
    changed = dict(record)
    if len(path) > 1:
        inner = changed.get(path[0])
        changed[path[0]] = put(inner if isinstance(inner, dict) else {}, path[1:], value)
    elif value is ...:
        changed.pop(path[0], None)
    else:
        changed[path[0]] = value
    return changed


def renamed(record, key, text):
    """The record with a key spelled otherwise, as JSON text."""
    return Twice((text if name == json.dumps(key) else name, value) for name, value in pairs(record))


def broken(seeds):
    """Each kind of break once, on one seed after the other."""
    turn = 0

    def seed():
        nonlocal turn
        turn += 1
        return seeds[(turn * 7) % len(seeds)]

    for path in GUARDED:
        yield put(seed(), path, ...)
        for text in WRONG if path[0] in ("eventName", "eventSource", "requestParameters") else WRONG[turn % 3 :: 3]:
            yield put(seed(), path, Text(text))
    for spell in SPELLINGS:
        for key in ("eventName", "eventSource"):
            record = seed()
            yield put(record, (key,), spell(record[key]))
    for key in ("eventName", "eventSource", "errorCode", "requestParameters", "userIdentity"):
        for text in (key.upper(), key.lower(), key.capitalize(), key.replace("e", "\u0435"), key.replace("s", "\u017f")):
            record = seed()
            yield renamed(put(record, (key,), record.get(key)), key, json.dumps(text))
            yield Twice([(json.dumps(text), "AccessDenied"), *pairs(seed())])
    for key in ("eventName", "eventSource", "errorCode"):
        for other in ("StopLogging", "cloudtrail.amazonaws.com", None, 1, {}, []):
            yield Twice([*pairs(seed()), (json.dumps(key), other)])
        yield Twice([(json.dumps(key), "StopLogging"), *pairs(seed())])
        yield renamed(put(seed(), (key,), "StopLogging"), key, ESCAPED[key])
        yield Twice([*pairs(seed()), (ESCAPED[key], "StopLogging")])
    for inner in (
        Twice([('"type"', "IAMUser"), ('"TYPE"', "Root")]),
        Twice([('"TYPE"', "Root")]),
        Twice([('"Type"', "Root"), ('"TYPE"', "IAMUser")]),
        Twice([('"type"', "IAMUser"), ('"type"', "Root")]),
        Twice([('"t\\u0079pe"', "Root"), ('"invokedBy"', None)]),
        Twice([('"type"', Text('"\\u0052oot"'))]),
    ):
        yield put(seed(), ("userIdentity",), inner)
    for record in seeds[::9]:
        name = record["eventName"]
        yield put(record, ("eventName",), Text('"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'))
    for record in seeds[4::9]:
        yield put(record, ("eventName",), seed()["eventName"])
    for record in seeds[2::9]:
        yield put(put(record, ("errorCode",), "AccessDenied"), ("errorMessage",), "denied")
    for record in seeds[6::9]:
        yield put(record, ("requestParameters",), [record.get("requestParameters")])
    deep = Text('{"a": ' * 60 + "1" + "}" * 60)
    yield put(seed(), ("requestParameters",), deep)
    for length in (1_000, 20_000):
        yield put(seed(), ("eventName",), "StopLogging" * (length // 11))
        yield put(seed(), ("requestParameters",), {"policyDocument": "x" * length, "name": "\u0130" * (length // 20)})
    yield {"eventVersion": "1.11"}
    yield {"eventVersion": "1.11", "eventName": "StopLogging"}


def records():
    examples = list(tests())
    positive = [event for expected, event in examples if expected]
    yield from positive
    yield from [event for expected, event in examples if not expected][::8]
    yield from (base(json.loads(line)) for line in TRAPS.strip().splitlines())
    yield from broken(positive)


def lines():
    for number, record in enumerate(records(), 1):
        written_pairs = record if isinstance(record, Twice) else pairs(record)
        event_id = f"ed9e0000-0000-4000-8000-{number:012x}"
        yield written(Twice([*written_pairs, ('"eventID"', event_id)])) + "\n"


def main():
    text = "".join(lines())
    target = HERE / "edge.jsonl"
    if "--check" in sys.argv[1:]:
        if target.read_text(encoding="ascii") != text:
            sys.exit("edge.jsonl is not what make_edge.py writes")
        return
    target.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
